package gguf

import (
	"fmt"
	"slices"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// Writer is a GGUF file in the making, of version 3. Nothing is to be seen of it before Commit. Commit and Close are not to be called before
// the last WriteTensor has returned.
type Writer struct {
	path   string
	out    *tensorfile.Writer
	header *header
}

// Create begins a file with the given metadata and tensors, in the order given. Of each tensor, Name, Type and Shape count, and Size if the
// type is not known; Offset and Size are set here and can be had from Tensors. The alignment is that of the metadata's general.alignment, a
// uint32, else 32.
//
// The file is written beside path under a name of its own until Commit. An earlier file at path stays as it is until then, may be
// read meanwhile (on Windows it must be closed before Commit), and leaves its permission bits to the new one. If path is a symbolic link,
// the file that it points at is replaced. A character device, such as /dev/null, is written in place; a directory, a named pipe, a
// socket or a block device is refused.
func Create(path string, metadata []KV, tensors []Info) (*Writer, error) {
	w, err := create(path, metadata, tensors)
	if err != nil {
		return nil, inFile(path, err)
	}
	return w, nil
}

func create(path string, metadata []KV, tensors []Info) (*Writer, error) {
	h := &header{metadata: metadata, keys: make(map[string]int), tensors: slices.Clone(tensors), index: make(map[string]int), alignment: defaultAlignment}
	for i, kv := range metadata {
		if err := checkKey(kv.Key); err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		if _, twice := h.keys[kv.Key]; twice {
			return nil, fmt.Errorf("metadata: key %s twice", tensorfile.Quote(kv.Key))
		}
		h.keys[kv.Key] = i
	}
	if err := h.setAlignment(); err != nil {
		return nil, err
	}
	for i := range h.tensors {
		t := &h.tensors[i]
		t.Shape = slices.Clone(t.Shape)
		if err := checkName(t.Name); err != nil {
			return nil, &Error{Tensor: t.Name, Err: err}
		}
		if _, twice := h.index[t.Name]; twice {
			return nil, errorf(t.Name, "named twice")
		}
		h.index[t.Name] = i
	}
	if err := h.layOut(); err != nil {
		return nil, err
	}
	front, err := h.front()
	if err != nil {
		return nil, err
	}
	h.base = padded(int64(len(front)), h.alignment)
	out, err := tensorfile.Create(path, "gguf", front, len(tensors))
	if err != nil {
		return nil, err
	}
	return &Writer{path, out, h}, nil
}

// Name returns the path that Create was given.
func (w *Writer) Name() string { return w.path }

// Tensors lists the tensors in the order in which Create was given them. It is not to be changed.
func (w *Writer) Tensors() []Info { return w.header.tensors }

// WriteTensor writes data as the bytes of the named tensor, which are its blocks, from its byte off on. Pieces may come in any order and from
// several goroutines at once, each byte once.
func (w *Writer) WriteTensor(name string, data []byte, off int64) error {
	i, err := w.header.piece(name, len(data), off)
	if err == nil {
		err = w.out.Write(i, data, w.header.base+w.header.tensors[i].Offset+off)
	}
	if err != nil {
		return &Error{File: w.path, Tensor: name, Err: err}
	}
	return nil
}

// Seal does all of Commit but to make the file appear, so that several files can be written in full before the first of them appears. If
// a tensor was not written in full, or anything else is wrong, it is an error, and nothing is left behind.
func (w *Writer) Seal() error {
	i, err := w.out.Seal(func(i int) int64 { return w.header.tensors[i].Size }, w.header.base+w.header.dataSize())
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
