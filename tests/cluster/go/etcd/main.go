// etcd as its module gives it: a distribution's own may be too old for the API server, whose watches then lag.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
