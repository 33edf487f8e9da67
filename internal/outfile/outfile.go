// Package outfile writes a file so that it appears whole or not at all: beside the place where it is to appear, then renamed.
package outfile

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// File is a file in the making.
type File struct {
	*os.File
	temp  string // "" for a device, which is written in place
	final string
	lock  *os.File // held as long as the temporary file is somebody's; nil where there are no locks
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

	final, err := Resolve(path)
	if err != nil {
		return nil, err
	}
	prefix := filepath.Join(filepath.Dir(final), fmt.Sprintf(".%s-%016x-", kind, hash(filepath.Base(final))))
	removeStale(prefix)
	f, err := createTemp(prefix, perm)
	if err != nil {
		return nil, fmt.Errorf("cannot create a file beside it: %w", Reason(err))
	}
	f.final = final
	if exists {
		if err := f.Chmod(perm); err != nil { // the bits that the umask took
			f.Discard()
			return nil, err
		}
	}
	return f, nil
}

// tempSuffix ends the names of temporary files.
const tempSuffix = ".tmp"

// hash tells names apart.
func hash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// createTemp creates a temporary file, and locks it for as long as it is needed.
func createTemp(prefix string, perm fs.FileMode) (*File, error) {
	const most = 10 // another run may take the file for nobody's before it is locked
	for range most {
		temp := fmt.Sprintf("%s%016x%s", prefix, rand.Uint64(), tempSuffix)
		file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if err != nil {
			return nil, err
		}
		f := &File{File: file, temp: temp}
		if f.lock, err = os.Open(temp); err == nil && tryLock(f.lock) == nil && f.isThere() {
			return f, nil
		}
		f.unlock()
		if f.isThere() { // there are no locks here, or no reading of what was created
			return f, nil
		}
		file.Close()
	}
	return nil, errors.New("temporary files vanish")
}

// isThere tells whether the temporary file still has its name.
func (f *File) isThere() bool { return isAt(f.File, f.temp) }

// isAt tells whether an open file is what has the name.
func isAt(f *os.File, name string) bool {
	named, err := os.Stat(name)
	if err != nil {
		return false
	}
	own, err := f.Stat()
	return err == nil && os.SameFile(named, own)
}

func (f *File) unlock() {
	if f.lock != nil {
		f.lock.Close()
		f.lock = nil
	}
}

// removeStale removes the temporary files that a run to the same file has left that was killed: those that nobody has locked.
func removeStale(prefix string) {
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		return
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, filepath.Base(prefix)) || !strings.HasSuffix(name, tempSuffix) || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(filepath.Dir(prefix), name)
		if file, err := os.Open(path); err == nil {
			if tryLock(file) == nil {
				os.Remove(path)
			}
			file.Close()
		}
	}
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

// Resolve follows links: it resolves a path to the file that would be written, which need not exist.
func Resolve(path string) (string, error) {
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
		f.unlock()
	}
	return Reason(err)
}

// Publish makes a sealed file appear.
func (f *File) Publish() error {
	if f.temp == "" {
		return nil
	}
	defer f.unlock()
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
	defer f.unlock()
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
