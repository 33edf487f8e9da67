package safetensors

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// Writer is a safetensors file in the making. Nothing is to be seen of it before Commit. Commit and Close are not to be called
// before the last WriteTensor has returned.
type Writer struct {
	path   string
	out    *tensorfile.Writer
	base   int64
	header *header
}

// Create begins a file with the given metadata (nil for none) and tensors. Of each tensor, Name, DType and Shape count; Offset and
// Size are set here and can be had from Tensors. The header lists the tensors in the order given; the data of those with wider elements
// comes first, so that each is aligned to its elements.
//
// The file is written beside path under a name of its own until Commit. An earlier file at path stays as it is until then, may be
// read meanwhile (on Windows it must be closed before Commit), and leaves its permission bits to the new one. If path is a symbolic link,
// the file that it points at is replaced. A character device, such as /dev/null, is written in place; a directory, a named pipe, a
// socket or a block device is refused.
func Create(path string, metadata map[string]string, tensors []Info) (*Writer, error) {
	w, err := create(path, metadata, tensors)
	if err != nil {
		return nil, inFile(path, err)
	}
	return w, nil
}

// Layout lays a file out as Create does, without a file: it returns all in front of the data, and the tensors with Offset and Size set.
// It is a pure function.
func Layout(metadata map[string]string, tensors []Info) (head []byte, laidOut []Info, err error) {
	head, h, err := layout(metadata, tensors)
	if err != nil {
		return nil, nil, err
	}
	return head, h.tensors, nil
}

func layout(metadata map[string]string, tensors []Info) (head []byte, h *header, err error) {
	for key, value := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, nil, fmt.Errorf("%s: key %s is not valid UTF-8, or its value is not", metadataKey, tensorfile.Quote(key))
		}
	}
	tensors = slices.Clone(tensors)
	for i := range tensors {
		if name := tensors[i].Name; name == metadataKey {
			return nil, nil, errorf(name, "the name is the format's own")
		} else if !utf8.ValidString(name) {
			return nil, nil, errorf(name, "the name is not valid UTF-8")
		}
	}
	if h, err = newHeader(metadata, tensors); err != nil {
		return nil, nil, err
	}
	if err := layOut(tensors); err != nil {
		return nil, nil, err
	}
	head = appendHeader(make([]byte, lengthSize), metadata, tensors)
	n := len(head) - lengthSize
	if n > maxHeader {
		return nil, nil, fmt.Errorf("header of %d bytes is over the limit of %d", n, maxHeader)
	}
	binary.LittleEndian.PutUint64(head, uint64(n))
	return head, h, nil
}

// CreateLaidOut begins a file that Layout has laid out: head and tensors are what it has returned, of which the Writer keeps the tensors, that
// are not to be changed. Otherwise it is as Create.
func CreateLaidOut(path string, head []byte, tensors []Info) (*Writer, error) {
	h, err := newHeader(nil, tensors)
	if err != nil {
		return nil, inFile(path, err)
	}
	w, err := begin(path, head, h)
	if err != nil {
		return nil, inFile(path, err)
	}
	return w, nil
}

func create(path string, metadata map[string]string, tensors []Info) (*Writer, error) {
	head, h, err := layout(metadata, tensors)
	if err != nil {
		return nil, err
	}
	return begin(path, head, h)
}

func begin(path string, head []byte, h *header) (*Writer, error) {
	out, err := tensorfile.Create(path, "safetensors", head, len(h.tensors))
	if err != nil {
		return nil, err
	}
	return &Writer{path, out, int64(len(head)), h}, nil
}

// Name returns the path that Create was given.
func (w *Writer) Name() string { return w.path }

// Tensors lists the tensors in the order in which Create was given them. It is not to be changed.
func (w *Writer) Tensors() []Info { return w.header.tensors }

// WriteTensor writes data as the bytes of the named tensor from its byte off on. Pieces may come in any order and from several
// goroutines at once, each byte once.
func (w *Writer) WriteTensor(name string, data []byte, off int64) error {
	i, err := w.header.piece(name, len(data), off)
	if err == nil {
		err = w.out.Write(i, data, w.base+w.header.tensors[i].Offset+off)
	}
	if err != nil {
		return &Error{File: w.path, Tensor: name, Err: err}
	}
	return nil
}

// Seal does all of Commit but to make the file appear, so that several files can be written in full before the first of them appears. If
// a tensor was not written in full, or anything else is wrong, it is an error, and nothing is left behind.
func (w *Writer) Seal() error {
	i, err := w.out.Seal(func(i int) int64 { return w.header.tensors[i].Size }, w.base+w.header.dataSize())
	switch {
	case err == nil:
		return nil
	case i >= 0:
		err = &Error{Tensor: w.header.tensors[i].Name, Err: err}
	}
	return inFile(w.path, err)
}

// Commit makes the file appear at its place. If a tensor was not written in full, or anything else is wrong, it is an error, nothing is
// left behind and an earlier file stays as it was. Data is not forced to the disk.
func (w *Writer) Commit() error {
	if err := w.Seal(); err != nil {
		return err
	}
	if err := w.out.Publish(); err != nil {
		return inFile(w.path, err)
	}
	return nil
}

// Close drops a file that was not committed; nothing is left behind. After Commit it does nothing, so it may be deferred.
func (w *Writer) Close() error {
	if err := w.out.Close(); err != nil {
		return inFile(w.path, err)
	}
	return nil
}
