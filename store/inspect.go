package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of a bbolt meta page, as far as it is needed to tell a foreign or
// torn file before it is mapped into memory.
const (
	pageHeader  = 16
	metaSize    = 64
	boltMagic   = 0xED0CDAED
	boltVersion = 2
)

// inspect refuses files that bbolt must not be let near: foreign ones, and those
// that are shorter than they say.
func inspect(file *os.File) error {
	path := file.Name()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return fmt.Errorf("%w: %s is empty; remove it if nothing needs it", ErrForeign, path)
	}
	head := make([]byte, 128<<10) // meta pages are at 0 and at one page, of at most 64 KiB
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return inspectMetas(path, head[:n], info.Size())
}

func inspectMetas(path string, head []byte, size int64) error {
	if len(head) < pageHeader+metaSize || binary.NativeEndian.Uint32(head[pageHeader:]) != boltMagic {
		return fmt.Errorf("%w: %s was written by another program; use another path (--store)", ErrForeign, path)
	}
	pageSize := int64(binary.NativeEndian.Uint32(head[pageHeader+8:]))
	if pageSize < 512 || pageSize > 64<<10 || pageSize&(pageSize-1) != 0 {
		return corrupt(path, fmt.Sprintf("a page size of %d", pageSize))
	}
	var pages, newest uint64
	for _, at := range []int64{0, pageSize} {
		if meta, ok := readMeta(head, at); ok && meta.transaction >= newest {
			newest, pages = meta.transaction, meta.pages
		}
	}
	if pages == 0 {
		return corrupt(path, "neither of its two headers is whole")
	}
	if pages > uint64(size)/uint64(pageSize) {
		return corrupt(path, fmt.Sprintf("it is cut off: %d bytes, and its header speaks of %d pages of %d", size, pages, pageSize))
	}
	return nil
}

type meta struct{ pages, transaction uint64 }

func readMeta(head []byte, at int64) (meta, bool) {
	begin := at + pageHeader
	if int64(len(head)) < begin+metaSize {
		return meta{}, false
	}
	m := head[begin : begin+metaSize]
	sum := fnv.New64a()
	_, _ = sum.Write(m[:metaSize-8]) // a hash never fails
	whole := binary.NativeEndian.Uint32(m) == boltMagic && binary.NativeEndian.Uint32(m[4:]) == boltVersion &&
		binary.NativeEndian.Uint64(m[56:]) == sum.Sum64()
	return meta{pages: binary.NativeEndian.Uint64(m[40:]), transaction: binary.NativeEndian.Uint64(m[48:])}, whole
}
