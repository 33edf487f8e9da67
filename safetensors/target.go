package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// target is a file in the making: written beside the place where it is to appear, then renamed.
type target struct {
	*os.File
	temp  string // "" for a device, which is written in place
	final string
}

// createTarget opens the file to write. A symbolic link stands for what it points at. A file that exists must be writable, and its
// permission bits are kept; a new one gets what the umask leaves of 0666.
func createTarget(path string) (*target, error) {
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
		return &target{File: file}, nil
	case exists:
		if err := checkRegular(stat.Mode()); err != nil {
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
	temp := filepath.Join(filepath.Dir(final), fmt.Sprintf(".safetensors-%016x.tmp", rand.Uint64()))
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, fmt.Errorf("cannot create a file beside it: %w", reason(err))
	}
	t := &target{File: file, temp: temp, final: final}
	if exists {
		if err := file.Chmod(perm); err != nil { // the bits that the umask took
			t.discard()
			return nil, err
		}
	}
	return t, nil
}

// checkRegular names what is no file with bytes at positions.
func checkRegular(mode fs.FileMode) error {
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

// seal closes the file, all of which is written. If that fails, nothing is left behind.
func (t *target) seal() error {
	err := t.Close()
	if err != nil && t.temp != "" {
		os.Remove(t.temp)
	}
	return err
}

// publish makes a sealed file appear.
func (t *target) publish() error {
	if t.temp == "" {
		return nil
	}
	err := os.Rename(t.temp, t.final)
	if err != nil {
		os.Remove(t.temp)
	}
	return err
}

// discard leaves nothing behind; that the dropped bytes could not be flushed matters to nobody.
func (t *target) discard() error {
	err := t.Close()
	if t.temp == "" {
		if errors.Is(err, fs.ErrClosed) { // it was sealed
			err = nil
		}
		return err
	}
	if err := os.Remove(t.temp); err != nil {
		return fmt.Errorf("cannot remove %s: %w", printable(t.temp), reason(err))
	}
	return nil
}
