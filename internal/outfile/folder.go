package outfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrInUse says that another run writes to a folder.
var ErrInUse = errors.New("another run writes it")

// Folder is a folder in the making that one run has for itself, where there are locks: it is another's if that run has ended, however it ended.
type Folder struct{ dir *os.File }

// MakeFolder makes a folder, with all above it, or takes up the one that is there. It returns ErrInUse if that is another run's.
func MakeFolder(path string) (*Folder, error) {
	const most = 10 // another run may remove the folder, or give it its last name, before it is locked
	for range most {
		if err := os.MkdirAll(path, 0o777); err != nil {
			return nil, Reason(err)
		}
		f, err := lockFolder(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("%w, and removes it", ErrInUse)
}

// RemoveFolder removes a folder with all that is in it, unless it is a run's.
func RemoveFolder(path string) error {
	f, err := lockFolder(path)
	if err != nil {
		return err
	}
	defer f.Release()
	return Reason(os.RemoveAll(path))
}

func lockFolder(path string) (*Folder, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, Reason(err)
	}
	switch err := tryLock(dir); {
	case errors.Is(err, errLocked):
		dir.Close()
		return nil, ErrInUse
	case err != nil: // there are no locks here
		return &Folder{}, dir.Close()
	case !isAt(dir, path):
		dir.Close()
		return nil, fs.ErrNotExist
	}
	return &Folder{dir}, nil
}

// Release lets others have the folder.
func (f *Folder) Release() {
	if f.dir != nil {
		f.dir.Close()
	}
}
