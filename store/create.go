package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// create makes an empty store where there is none. It is made beside and then given
// its name, so that a process that dies in between leaves a file under another name
// and never half of one under this.
func create(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	beside, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-")
	if err != nil {
		return fmt.Errorf("making the store: %w", err)
	}
	defer func() { _ = os.Remove(beside.Name()) }()
	if err := beside.Close(); err != nil {
		return fmt.Errorf("making the store: %w", err)
	}
	db, err := bbolt.Open(beside.Name(), 0o600, nil)
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		return fmt.Errorf("making the store: %w", err)
	}
	return appear(beside.Name(), path)
}

// appear gives a whole file its name, unless another process was first. File
// systems without links take a rename, which is as good while nobody races.
func appear(beside, path string) error {
	err := os.Link(beside, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(beside, path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("giving %s its name: %w", path, err)
	}
	return nil
}
