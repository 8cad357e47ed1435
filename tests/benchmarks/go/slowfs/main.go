// slowfs shows a folder under another one, with a delay before each file-system operation: a stand-in for a network
// volume that hits every program alike. Nothing is cached: the kernel asks for each name, attribute and byte again.
//
//	slowfs -latency 1ms FOLDER MOUNTPOINT
//
// It writes `ready` once the folder is there, runs until SIGTERM or SIGINT, unmounts, and writes which operations came
// and how long they were really delayed, as JSON. It needs root and /dev/fuse.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	largestTransfer = 1 << 20 // bytes of one READ or WRITE, the kernel's own limit
	inBackground    = 512     // requests that nobody waits for; those that a caller waits for have no limit
)

func main() {
	latency := flag.Duration("latency", time.Millisecond, "before each operation")
	flag.Parse()
	if flag.NArg() != 2 {
		log.Fatal("usage: slowfs [-latency 1ms] FOLDER MOUNTPOINT")
	}
	syscall.Umask(0) // the kernel has taken the caller's off already
	slow, server, err := mount(flag.Arg(0), flag.Arg(1), *latency)
	if err != nil {
		log.Fatal(err)
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-asked
		unmount(server, flag.Arg(1))
	}()
	fmt.Println("ready")
	server.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(slow.seen()); err != nil {
		log.Fatal(err)
	}
}

func mount(folder, mountpoint string, latency time.Duration) (*slow, *fuse.Server, error) {
	root, err := fs.NewLoopbackRoot(folder)
	if err != nil {
		return nil, nil, err
	}
	// No timeouts are named, so names and attributes expire at once.
	slow := newSlow(fs.NewNodeFS(root, &fs.Options{}), latency)
	server, err := fuse.NewServer(slow, mountpoint, &fuse.MountOptions{
		DirectMountStrict:   true,
		DirectMountFlags:    syscall.MS_MGC_VAL, // no flags: set-user-ID bits and devices are shown as they are
		FsName:              folder,
		Name:                "slowfs",
		MaxBackground:       inBackground,
		CongestionThreshold: inBackground,
		MaxWrite:            largestTransfer,
		DisableReadDirPlus:  true, // it would bring attributes along with names
		DisableXAttrs:       true, // answered once with ENOSYS, the kernel doesn't ask again
		DisableSplice:       true, // a pipe is too small for the largest transfer
	})
	if err != nil {
		return nil, nil, err
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		return nil, nil, err
	}
	slow.forget() // what mounting itself has asked
	return slow, server, nil
}

// unmount waits a while for those who still use the folder, then takes it away from them.
func unmount(server *fuse.Server, mountpoint string) {
	for range 50 {
		if server.Unmount() == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := syscall.Unmount(mountpoint, syscall.MNT_DETACH|syscall.MNT_FORCE); err != nil {
		log.Fatal(err)
	}
}
