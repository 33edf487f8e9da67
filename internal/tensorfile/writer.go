package tensorfile

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/lowbit-go/lowbit/internal/outfile"
)

// Writer is a file in the making, of tensors whose sizes are known. Nothing is to be seen of it before Commit. All methods but Write are
// called when the last Write has returned.
type Writer struct {
	Out     *outfile.File
	written []atomic.Int64 // bytes, per tensor
	sealed  bool           // all is written, and the file is closed
	done    bool
}

// Create begins a file, whose first bytes are head, of so many tensors; kind is part of its temporary name.
func Create(path, kind string, head []byte, tensors int) (*Writer, error) {
	file, err := outfile.Create(path, kind)
	if err != nil {
		return nil, err
	}
	if _, err := file.WriteAt(head, 0); err != nil {
		file.Discard()
		return nil, err
	}
	return &Writer{Out: file, written: make([]atomic.Int64, tensors)}, nil
}

// Write writes data, which is of a tensor, at byte at of the file. Pieces may come in any order and from several goroutines at once, each
// byte once.
func (w *Writer) Write(tensor int, data []byte, at int64) error {
	if _, err := w.Out.WriteAt(data, at); err != nil {
		return outfile.Reason(err)
	}
	w.written[tensor].Add(int64(len(data)))
	return nil
}

// Seal does all of Commit but to make the file appear. The file ends at byte end; what was not written before is zero. If a tensor was not
// written in full, it is an error and that tensor's number; otherwise the number is -1. After an error nothing is left behind.
func (w *Writer) Seal(size func(tensor int) int64, end int64) (tensor int, err error) {
	if w.done {
		return -1, os.ErrClosed
	}
	if w.sealed {
		return -1, nil
	}
	for i := range w.written {
		if n, want := w.written[i].Load(), size(i); n != want {
			w.Close()
			return i, fmt.Errorf("%d bytes written, want %d", n, want)
		}
	}
	if !w.Out.Device() {
		if err := w.Out.Truncate(end); err != nil {
			w.Close()
			return -1, err
		}
	}
	if err := w.Out.Seal(); err != nil {
		w.done = true
		return -1, err
	}
	w.sealed = true
	return -1, nil
}

// Publish makes a sealed file appear at its place.
func (w *Writer) Publish() error {
	w.done = true
	return w.Out.Publish()
}

// Close drops a file that was not published; nothing is left behind. After Publish it does nothing.
func (w *Writer) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	return w.Out.Discard()
}
