package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/internal/outfile"
	"github.com/lowbit-go/lowbit/internal/tensorfile"
	"github.com/lowbit-go/lowbit/safetensors"
)

// open opens what safetensors lie in: a file, an index or a folder.
func open(path string) (*checkpoint.Checkpoint, error) {
	if path == "" {
		return nil, errors.New("the name of a file to read is empty")
	}
	return checkpoint.Open(path)
}

// isGGUF tells whether a file is a GGUF, by its first bytes.
func isGGUF(path string) bool { return string(beginning(path, 4)) == "GGUF" }

// beginning returns the first n bytes of a file, or what there is of them. Of what cannot be read there are none: whoever opens it says why.
func beginning(path string, n int) []byte {
	f, _, err := tensorfile.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, n)
	n, _ = f.ReadAt(head, 0)
	return head[:n]
}

// inFolder tells whether what is made of a checkpoint is a folder, as it is one.
func inFolder(in *checkpoint.Checkpoint) bool {
	return in.Kind() == checkpoint.Folder || in.Kind() == checkpoint.Index
}

// openFile opens one file to read.
func openFile(path string) (*safetensors.File, error) {
	in, err := open(path)
	if err != nil {
		return nil, err
	}
	in.Close()
	if in.Kind() != checkpoint.File {
		return nil, &safetensors.Error{File: path, Err: fmt.Errorf("is %s, want a safetensors file", kinds[in.Kind()])}
	}
	return safetensors.Open(path)
}

// kinds are what a path may lead to, but for a safetensors file.
var kinds = map[checkpoint.Kind]string{checkpoint.Index: "an index", checkpoint.Folder: "a folder", checkpoint.GGUF: "a GGUF file"}

// openLater reads the header of a file, which is opened again for each piece: there may be more files than a process may have open.
func openLater(path string) (*safetensors.File, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	f.Close()
	stat, err := os.Stat(path)
	if err != nil {
		return nil, &safetensors.Error{File: path, Err: withoutPath(err)}
	}
	return safetensors.NewFile(laterFile(path), stat.Size(), path)
}

// laterFile is a file that is open only while it is read.
type laterFile string

// ReadAt reads bytes at a position.
func (path laterFile) ReadAt(p []byte, off int64) (int, error) {
	f, err := os.Open(string(path))
	if err != nil {
		return 0, withoutPath(err)
	}
	defer f.Close()
	return f.ReadAt(p, off)
}

// files are those that a command has open to read.
type files struct {
	list []*safetensors.File
	err  error // the first
}

// mostOpen is how many files a command has open at a time. A variable for the tests.
var mostOpen = 64

// open opens one more. Whether it could, err says.
func (f *files) open(path string) *safetensors.File {
	if f.err != nil {
		return nil
	}
	open := openFile
	if len(f.list) >= mostOpen {
		open = openLater
	}
	file, err := open(path)
	if err != nil {
		f.err = err
		return nil
	}
	f.list = append(f.list, file)
	return file
}

// close closes them all. Nothing was written to them that could be lost.
func (f *files) close() {
	for _, file := range f.list {
		file.Close()
	}
	f.list = nil
}

// checkPlace makes sure that a file can be written there, before any work is done for it.
func checkPlace(path string) error {
	w, err := safetensors.Create(path, nil, nil)
	if err != nil {
		return err
	}
	return w.Close()
}

// sameFile tells whether two names lead to the same file, which need not exist.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	pathA, errA := outfile.Resolve(a)
	pathB, errB := outfile.Resolve(b)
	if errA != nil || errB != nil {
		return false
	}
	absA, errA := filepath.Abs(pathA)
	absB, errB := filepath.Abs(pathB)
	return errA == nil && errB == nil && absA == absB
}

// inTensor names file and tensor in an error of package quant.
func inTensor(f *safetensors.File, tensor string, err error) error {
	return &safetensors.Error{File: f.Name(), Tensor: tensor, Err: plain(err)}
}

// refuse is inTensor for a reason of the tool's own.
func refuse(f *safetensors.File, tensor, format string, args ...any) error {
	return &safetensors.Error{File: f.Name(), Tensor: tensor, Err: fmt.Errorf(format, args...)}
}
