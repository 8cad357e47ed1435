package main

import (
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// slow delays each operation of a file system. The inner one is a named field, not embedded: an operation that a later
// go-fuse adds then stops the build, instead of passing by undelayed.
type slow struct {
	inner   fuse.RawFileSystem
	latency time.Duration

	mutex   sync.Mutex
	counts  map[string]int
	delayed time.Duration
}

// seen is what the program writes at its end.
type seen struct {
	Operations map[string]int `json:"operations"`
	MeanMs     float64        `json:"mean_ms"` // of one delay, as measured
}

func newSlow(inner fuse.RawFileSystem, latency time.Duration) *slow {
	return &slow{inner: inner, latency: latency, counts: map[string]int{}}
}

func (s *slow) wait(operation string) {
	began := time.Now()
	if s.latency > 0 {
		time.Sleep(s.latency)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.counts[operation]++
	s.delayed += time.Since(began)
}

func (s *slow) forget() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.counts, s.delayed = map[string]int{}, 0
}

func (s *slow) seen() seen {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	all := 0
	for _, count := range s.counts {
		all += count
	}
	return seen{s.counts, float64(s.delayed.Microseconds()) / 1000 / float64(max(all, 1))}
}

// uncached keeps the bytes of an open file out of the kernel's page cache.
func uncached(flags *uint32) {
	*flags = *flags&^(fuse.FOPEN_KEEP_CACHE|fuse.FOPEN_CACHE_DIR) | fuse.FOPEN_DIRECT_IO
}

// Not delayed: these ask nothing of the volume.

func (s *slow) String() string                 { return s.inner.String() }
func (s *slow) SetDebug(debug bool)            { s.inner.SetDebug(debug) }
func (s *slow) Init(server *fuse.Server)       { s.inner.Init(server) }
func (s *slow) OnUnmount()                     { s.inner.OnUnmount() }
func (s *slow) Forget(nodeid, nlookups uint64) { s.inner.Forget(nodeid, nlookups) }

func (s *slow) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	s.wait("Lookup")
	return s.inner.Lookup(cancel, header, name, out)
}

func (s *slow) GetAttr(cancel <-chan struct{}, input *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	s.wait("GetAttr")
	return s.inner.GetAttr(cancel, input, out)
}

func (s *slow) SetAttr(cancel <-chan struct{}, input *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	s.wait("SetAttr")
	return s.inner.SetAttr(cancel, input, out)
}

func (s *slow) Mknod(cancel <-chan struct{}, input *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	s.wait("Mknod")
	return s.inner.Mknod(cancel, input, name, out)
}

func (s *slow) Mkdir(cancel <-chan struct{}, input *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	s.wait("Mkdir")
	return s.inner.Mkdir(cancel, input, name, out)
}

func (s *slow) Unlink(cancel <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	s.wait("Unlink")
	return s.inner.Unlink(cancel, header, name)
}

func (s *slow) Rmdir(cancel <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	s.wait("Rmdir")
	return s.inner.Rmdir(cancel, header, name)
}

func (s *slow) Rename(cancel <-chan struct{}, input *fuse.RenameIn, oldName string, newName string) fuse.Status {
	s.wait("Rename")
	return s.inner.Rename(cancel, input, oldName, newName)
}

func (s *slow) Link(cancel <-chan struct{}, input *fuse.LinkIn, filename string, out *fuse.EntryOut) fuse.Status {
	s.wait("Link")
	return s.inner.Link(cancel, input, filename, out)
}

func (s *slow) Symlink(cancel <-chan struct{}, header *fuse.InHeader, pointedTo string, linkName string, out *fuse.EntryOut) fuse.Status {
	s.wait("Symlink")
	return s.inner.Symlink(cancel, header, pointedTo, linkName, out)
}

func (s *slow) Readlink(cancel <-chan struct{}, header *fuse.InHeader) ([]byte, fuse.Status) {
	s.wait("Readlink")
	return s.inner.Readlink(cancel, header)
}

func (s *slow) Access(cancel <-chan struct{}, input *fuse.AccessIn) fuse.Status {
	s.wait("Access")
	return s.inner.Access(cancel, input)
}

func (s *slow) GetXAttr(cancel <-chan struct{}, header *fuse.InHeader, attr string, dest []byte) (uint32, fuse.Status) {
	s.wait("GetXAttr")
	return s.inner.GetXAttr(cancel, header, attr, dest)
}

func (s *slow) ListXAttr(cancel <-chan struct{}, header *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	s.wait("ListXAttr")
	return s.inner.ListXAttr(cancel, header, dest)
}

func (s *slow) SetXAttr(cancel <-chan struct{}, input *fuse.SetXAttrIn, attr string, data []byte) fuse.Status {
	s.wait("SetXAttr")
	return s.inner.SetXAttr(cancel, input, attr, data)
}

func (s *slow) RemoveXAttr(cancel <-chan struct{}, header *fuse.InHeader, attr string) fuse.Status {
	s.wait("RemoveXAttr")
	return s.inner.RemoveXAttr(cancel, header, attr)
}

func (s *slow) Create(cancel <-chan struct{}, input *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	s.wait("Create")
	status := s.inner.Create(cancel, input, name, out)
	uncached(&out.OpenFlags)
	return status
}

func (s *slow) Tmpfile(cancel <-chan struct{}, input *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	s.wait("Tmpfile")
	status := s.inner.Tmpfile(cancel, input, out)
	uncached(&out.OpenFlags)
	return status
}

func (s *slow) Open(cancel <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	s.wait("Open")
	status := s.inner.Open(cancel, input, out)
	uncached(&out.OpenFlags)
	return status
}

func (s *slow) Read(cancel <-chan struct{}, input *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	s.wait("Read")
	return s.inner.Read(cancel, input, buf)
}

func (s *slow) Lseek(cancel <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	s.wait("Lseek")
	return s.inner.Lseek(cancel, in, out)
}

func (s *slow) GetLk(cancel <-chan struct{}, input *fuse.LkIn, out *fuse.LkOut) fuse.Status {
	s.wait("GetLk")
	return s.inner.GetLk(cancel, input, out)
}

func (s *slow) SetLk(cancel <-chan struct{}, input *fuse.LkIn) fuse.Status {
	s.wait("SetLk")
	return s.inner.SetLk(cancel, input)
}

func (s *slow) SetLkw(cancel <-chan struct{}, input *fuse.LkIn) fuse.Status {
	s.wait("SetLkw")
	return s.inner.SetLkw(cancel, input)
}

func (s *slow) Release(cancel <-chan struct{}, input *fuse.ReleaseIn) {
	s.wait("Release")
	s.inner.Release(cancel, input)
}

func (s *slow) Write(cancel <-chan struct{}, input *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	s.wait("Write")
	return s.inner.Write(cancel, input, data)
}

func (s *slow) Writev(cancel <-chan struct{}, input *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	s.wait("Writev")
	return s.inner.Writev(cancel, input, data)
}

func (s *slow) CopyFileRange(cancel <-chan struct{}, input *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	s.wait("CopyFileRange")
	return s.inner.CopyFileRange(cancel, input)
}

func (s *slow) Ioctl(cancel <-chan struct{}, input *fuse.IoctlIn, inbuf []byte, output *fuse.IoctlOut, outbuf []byte) fuse.Status {
	s.wait("Ioctl")
	return s.inner.Ioctl(cancel, input, inbuf, output, outbuf)
}

func (s *slow) Flush(cancel <-chan struct{}, input *fuse.FlushIn) fuse.Status {
	s.wait("Flush")
	return s.inner.Flush(cancel, input)
}

func (s *slow) Fsync(cancel <-chan struct{}, input *fuse.FsyncIn) fuse.Status {
	s.wait("Fsync")
	return s.inner.Fsync(cancel, input)
}

func (s *slow) Fallocate(cancel <-chan struct{}, input *fuse.FallocateIn) fuse.Status {
	s.wait("Fallocate")
	return s.inner.Fallocate(cancel, input)
}

func (s *slow) OpenDir(cancel <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	s.wait("OpenDir")
	status := s.inner.OpenDir(cancel, input, out)
	out.OpenFlags &^= fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE
	return status
}

func (s *slow) ReadDir(cancel <-chan struct{}, input *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	s.wait("ReadDir")
	return s.inner.ReadDir(cancel, input, out)
}

func (s *slow) ReadDirPlus(cancel <-chan struct{}, input *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	s.wait("ReadDirPlus")
	return s.inner.ReadDirPlus(cancel, input, out)
}

func (s *slow) ReleaseDir(input *fuse.ReleaseIn) {
	s.wait("ReleaseDir")
	s.inner.ReleaseDir(input)
}

func (s *slow) FsyncDir(cancel <-chan struct{}, input *fuse.FsyncIn) fuse.Status {
	s.wait("FsyncDir")
	return s.inner.FsyncDir(cancel, input)
}

func (s *slow) StatFs(cancel <-chan struct{}, input *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	s.wait("StatFs")
	return s.inner.StatFs(cancel, input, out)
}

func (s *slow) Statx(cancel <-chan struct{}, input *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	s.wait("Statx")
	return s.inner.Statx(cancel, input, out)
}
