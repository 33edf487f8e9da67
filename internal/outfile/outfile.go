// Package outfile writes a file so that it appears whole or not at all: beside the place where it is to appear, then renamed.
package outfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// File is a file in the making.
type File struct {
	*os.File
	temp  string // "" for a device, which is written in place
	final string
}

// Create opens the file to write; kind is part of the temporary name. A symbolic link stands for what it points at. A file that exists must
// be writable, and its permission bits are kept; a new one gets what the umask leaves of 0666. A character device is written in place. Errors
// of package os come without path and system call: the path may be that of the temporary file.
func Create(path, kind string) (*File, error) {
	f, err := create(path, kind)
	return f, Reason(err)
}

func create(path, kind string) (*File, error) {
	if path == "" {
		return nil, errors.New("the name of the file to write is empty")
	}
	perm := fs.FileMode(0o666)
	stat, err := os.Stat(path)
	exists := err == nil
	switch {
	case exists && stat.Mode()&fs.ModeCharDevice != 0:
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &File{File: file}, nil
	case exists:
		if err := CheckRegular(stat.Mode()); err != nil {
			return nil, err
		}
		if err := checkWritable(path); err != nil {
			return nil, err
		}
		perm = stat.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}

	final, err := followLinks(path)
	if err != nil {
		return nil, err
	}
	temp := filepath.Join(filepath.Dir(final), fmt.Sprintf(".%s-%016x.tmp", kind, rand.Uint64()))
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, fmt.Errorf("cannot create a file beside it: %w", Reason(err))
	}
	f := &File{File: file, temp: temp, final: final}
	if exists {
		if err := file.Chmod(perm); err != nil { // the bits that the umask took
			f.Discard()
			return nil, err
		}
	}
	return f, nil
}

// CheckRegular names what is no file with bytes at positions.
func CheckRegular(mode fs.FileMode) error {
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return errors.New("is a directory")
	default:
		return errors.New("is not a regular file")
	}
}

// checkWritable refuses what the user may not write, although a rename would replace it.
func checkWritable(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return file.Close()
}

// followLinks resolves a path to the file that would be written, which need not exist.
func followLinks(path string) (string, error) {
	const most = 40 // as Linux has it
	for range most {
		dir, base := filepath.Split(path)
		if dir == "" {
			dir = "."
		}
		dir, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return "", err
		}
		if base == "" {
			return "", errors.New("is a directory")
		}
		path = filepath.Join(dir, base)
		stat, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if stat.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		link, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(link) {
			// Not filepath.Join: dir/x/../y is not dir/y where x is a link.
			link = dir + string(filepath.Separator) + link
		}
		path = link
	}
	return "", errors.New("too many symbolic links")
}

// Device tells whether the file is written in place.
func (f *File) Device() bool { return f.temp == "" }

// Seal closes the file, all of which is written. If that fails, nothing is left behind.
func (f *File) Seal() error {
	err := f.Close()
	if err != nil && f.temp != "" {
		os.Remove(f.temp)
	}
	return Reason(err)
}

// Publish makes a sealed file appear.
func (f *File) Publish() error {
	if f.temp == "" {
		return nil
	}
	err := os.Rename(f.temp, f.final)
	if err != nil {
		os.Remove(f.temp)
	}
	return Reason(err)
}

// Discard leaves nothing behind; that the dropped bytes could not be flushed matters to nobody.
func (f *File) Discard() error {
	err := f.Close()
	if f.temp == "" {
		if errors.Is(err, fs.ErrClosed) { // it was sealed
			err = nil
		}
		return Reason(err)
	}
	if err := os.Remove(f.temp); err != nil {
		return fmt.Errorf("cannot remove %q: %w", f.temp, Reason(err))
	}
	return nil
}

// Reason strips the path and the system call from an error of package os.
func Reason(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	default:
		return err
	}
}
