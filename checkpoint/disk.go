package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lowbit-go/lowbit/internal/outfile"
	"github.com/lowbit-go/lowbit/safetensors"
)

// disk is where a checkpoint's files are: this machine's file system, or another.
type disk struct{ fsys fs.FS } // nil: this machine's

func (d disk) stat(path string) (fs.FileInfo, error) {
	if d.fsys == nil {
		return os.Stat(path)
	}
	return fs.Stat(d.fsys, filepath.ToSlash(path))
}

func (d disk) readDir(path string) ([]fs.DirEntry, error) {
	if d.fsys == nil {
		return os.ReadDir(path)
	}
	return fs.ReadDir(d.fsys, filepath.ToSlash(path))
}

// readFile reads a config.json or an index, which is no longer than a header.
func (d disk) readFile(path string) ([]byte, error) {
	stat, err := d.stat(path)
	if err == nil {
		err = outfile.CheckRegular(stat.Mode())
	}
	if err == nil && stat.Size() > longestHeader {
		err = fmt.Errorf("has %d bytes, want %d at most", stat.Size(), longestHeader)
	}
	if err != nil {
		return nil, err
	}
	if d.fsys == nil {
		return os.ReadFile(path)
	}
	return fs.ReadFile(d.fsys, filepath.ToSlash(path))
}

func (d disk) open(path string) (fs.File, error) {
	if d.fsys == nil {
		return os.Open(path)
	}
	return d.fsys.Open(filepath.ToSlash(path))
}

// folder is a folder by itself.
func (d disk) folder(path string) (fs.FS, error) {
	if d.fsys == nil {
		return os.DirFS(path), nil
	}
	return fs.Sub(d.fsys, filepath.ToSlash(path))
}

// openTensors opens a safetensors file. The closer is nil if the file closes all.
func (d disk) openTensors(path string) (*safetensors.File, io.Closer, error) {
	if d.fsys == nil {
		f, err := safetensors.Open(path)
		return f, nil, err
	}
	file, err := d.open(path)
	if err != nil {
		return nil, nil, inFile(path, err)
	}
	f, err := func() (*safetensors.File, error) {
		at, ok := file.(io.ReaderAt)
		if !ok {
			return nil, inFile(path, errors.New("cannot be read by position"))
		}
		stat, err := file.Stat()
		if err != nil {
			return nil, inFile(path, err)
		}
		return safetensors.NewFile(at, stat.Size(), path)
	}()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return f, file, nil
}
