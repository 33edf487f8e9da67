package gguf

import (
	"fmt"
	"io"
	"sync"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// File is a GGUF file that is open for reading. All methods but Close may be called from several goroutines at once.
type File struct {
	name   string
	r      io.ReaderAt
	closer io.Closer // nil if the caller owns r
	header *header
	blocks sync.Pool // of *[rowPiece]byte
}

// Open opens a file and reads and checks all but its data.
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
	h, err := readHeader(&scanner{r: r, size: size})
	if err != nil {
		return nil, err
	}
	return &File{r: r, header: h}, nil
}

// Name gives the file's name as the caller gave it.
func (f *File) Name() string { return f.name }

// Version gives the version of the format, 2 or 3.
func (f *File) Version() int { return int(f.header.version) }

// Metadata lists the pairs of the metadata in the order of the file. It is not to be changed.
func (f *File) Metadata() []KV { return f.header.metadata }

// Value gives the value of a key of the metadata, nil if there is none.
func (f *File) Value(key string) any {
	if i, ok := f.header.keys[key]; ok {
		return f.header.metadata[i].Value
	}
	return nil
}

// Tensors lists the tensors in the order of the file. It is not to be changed.
func (f *File) Tensors() []Info { return f.header.tensors }

// Lookup finds a tensor by its name.
func (f *File) Lookup(name string) (Info, bool) {
	i, ok := f.header.index[name]
	if !ok {
		return Info{}, false
	}
	return f.header.tensors[i], true
}

// ReadTensor fills buf with the bytes of the named tensor, which are its blocks, from its byte off on. A file that has become shorter than it
// was when it was opened is an error that wraps io.ErrUnexpectedEOF.
func (f *File) ReadTensor(name string, buf []byte, off int64) error {
	i, err := f.header.piece(name, len(buf), off)
	if err == nil {
		err = tensorfile.ReadFull(f.r, buf, f.header.base+f.header.tensors[i].Offset+off)
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

// rowPiece is the room for blocks that are read at a time: whole blocks of every type.
const rowPiece = 32 << 10

// Row writes one row of the named tensor, whose Row elements dst has room for, as float32. It allocates nothing in the long run.
func (f *File) Row(dst []float32, name string, row int) error {
	info, ok := f.Lookup(name)
	if ok && len(dst) != info.Row() {
		return &Error{File: f.name, Tensor: name, Err: fmt.Errorf("room for %d elements, want a row's %d", len(dst), info.Row())}
	}
	return f.Rows(dst, name, row)
}

// Rows writes rows of the named tensor, from the one with the number first on, as float32: as many as dst has room for, which must be whole.
// It allocates nothing in the long run.
func (f *File) Rows(dst []float32, name string, first int) error {
	if err := f.rows(dst, name, first); err != nil {
		return &Error{File: f.name, Tensor: name, Err: err}
	}
	return nil
}

func (f *File) rows(dst []float32, name string, first int) error {
	i, err := f.header.piece(name, 0, 0)
	if err != nil {
		return err
	}
	info := f.header.tensors[i]
	if !info.Type.Supported() {
		return fmt.Errorf("cannot decode %v", info.Type)
	}
	row := info.Row()
	if row == 0 {
		if len(dst) > 0 {
			return fmt.Errorf("room for %d elements, its rows have none", len(dst))
		}
		return nil
	}
	if len(dst)%row != 0 {
		return fmt.Errorf("room for %d elements, want a multiple of a row's %d", len(dst), row)
	}
	if rows := len(dst) / row; first < 0 || rows > info.Rows() || first > info.Rows()-rows {
		return fmt.Errorf("%d rows from %d on lie outside its %d", rows, first, info.Rows())
	}
	buf, ok := f.blocks.Get().(*[rowPiece]byte)
	if !ok {
		buf = new([rowPiece]byte)
	}
	defer f.blocks.Put(buf)
	length, bytes := info.Type.BlockLen(), info.Type.BlockBytes()
	at := f.header.base + info.Offset + int64(first)*int64(row/length)*int64(bytes)
	for most := rowPiece / bytes; len(dst) > 0; {
		blocks := min(most, len(dst)/length)
		src := buf[:blocks*bytes]
		if err := tensorfile.ReadFull(f.r, src, at); err != nil {
			return err
		}
		Dequantize(dst[:blocks*length], src, Blocks{Type: info.Type})
		dst, at = dst[blocks*length:], at+int64(len(src))
	}
	return nil
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
