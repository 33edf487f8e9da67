package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// File is a safetensors file that is open for reading. All methods but Close may be called from several goroutines at once.
type File struct {
	name   string
	r      io.ReaderAt
	closer io.Closer // nil if the caller owns r
	base   int64     // where the data begins
	header *header
}

// Open opens a file and reads and checks its header.
func Open(path string) (*File, error) {
	f, err := open(path)
	if err != nil {
		return nil, inFile(path, err)
	}
	return f, nil
}

func open(path string) (*File, error) {
	file, size, err := tensorfile.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := newFile(file, size)
	if err != nil {
		file.Close()
		return nil, err
	}
	f.name, f.closer = path, file
	return f, nil
}

// NewFile reads a file of size bytes from r; name stands for it in errors. Close does not close r.
func NewFile(r io.ReaderAt, size int64, name string) (*File, error) {
	f, err := newFile(r, size)
	if err != nil {
		return nil, inFile(name, err)
	}
	f.name = name
	return f, nil
}

func newFile(r io.ReaderAt, size int64) (*File, error) {
	if size == 0 {
		return nil, errors.New("file is empty")
	}
	if size < lengthSize {
		return nil, fmt.Errorf("file of %d bytes is too short for a header", size)
	}
	var length [lengthSize]byte
	if err := tensorfile.ReadFull(r, length[:], 0); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return nil, fmt.Errorf("is not a safetensors file: header length %d is over the limit of %d", n, maxHeader)
	}
	base := lengthSize + int64(n)
	if base > size {
		return nil, fmt.Errorf("header of %d bytes is cut: the file has %d bytes", n, size)
	}
	text := make([]byte, n)
	if err := tensorfile.ReadFull(r, text, lengthSize); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	// Nothing writes to text any more: as a string it needs no memory of its own.
	h, err := parseHeader(unsafe.String(unsafe.SliceData(text), n), size-base)
	if err != nil {
		return nil, err
	}
	return &File{r: r, base: base, header: h}, nil
}

// Name gives the file's name as the caller gave it.
func (f *File) Name() string { return f.name }

// Metadata gives what the header has under __metadata__, nil if it has none. It is not to be changed.
func (f *File) Metadata() map[string]string { return f.header.metadata }

// Tensors lists the tensors in the order of the header. It is not to be changed.
func (f *File) Tensors() []Info { return f.header.tensors }

// Lookup finds a tensor by its name.
func (f *File) Lookup(name string) (Info, bool) {
	i := f.header.find(name)
	if i < 0 {
		return Info{}, false
	}
	return f.header.tensors[i], true
}

// ReadTensor fills buf with the bytes of the named tensor from its byte off on. A file that has become shorter than it was
// when it was opened is an error that wraps io.ErrUnexpectedEOF.
func (f *File) ReadTensor(name string, buf []byte, off int64) error {
	i, err := f.header.piece(name, len(buf), off)
	if err == nil {
		err = tensorfile.ReadFull(f.r, buf, f.base+f.header.tensors[i].Offset+off)
	}
	if err != nil {
		return &Error{File: f.name, Tensor: name, Err: err}
	}
	return nil
}

// ReadAll returns all bytes of the named tensor.
func (f *File) ReadAll(name string) ([]byte, error) {
	info, _ := f.Lookup(name)
	if info.Size != int64(int(info.Size)) {
		return nil, &Error{File: f.name, Tensor: name, Err: fmt.Errorf("%d bytes do not fit this machine's memory", info.Size)}
	}
	buf := make([]byte, info.Size)
	if err := f.ReadTensor(name, buf, 0); err != nil {
		return nil, err
	}
	return buf, nil
}

// Close closes a file that Open opened.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	if err := f.closer.Close(); err != nil {
		return inFile(f.name, err)
	}
	return nil
}

// piece finds a tensor's position and makes sure that it has n bytes at off.
func (h *header) piece(name string, n int, off int64) (int, error) {
	i := h.find(name)
	if i < 0 {
		return 0, errors.New("no such tensor")
	}
	return i, tensorfile.CheckPiece(h.tensors[i].Size, n, off)
}
