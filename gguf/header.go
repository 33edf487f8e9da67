package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

const (
	magic   = "GGUF"
	version = 3 // that is written

	defaultAlignment = 32
	alignmentKey     = "general.alignment"

	maxName = 63 // bytes of a tensor's name
	maxAxes = 4
	maxKey  = math.MaxUint16

	// maxFront is the most that is read before the data. Tokenizers of today have some ten megabytes.
	maxFront = 1 << 30
)

// Info describes a tensor of a file.
type Info struct {
	Name string
	Type Type

	// Shape is row-major, outermost axis first, as everywhere but in the file, whose ne is the reverse: a matrix of 4096 rows of 11008
	// elements has the Shape [4096 11008] and ne = 11008, 4096. Blocks lie along the last axis. It is empty for a scalar.
	Shape []int

	Offset int64 // of the first byte, from the start of the data
	Size   int64 // in bytes; of a type that is not known it is all up to the next tensor
}

// Elements counts the elements. In a file that was opened they fit an int.
func (i Info) Elements() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// Row is the number of elements of a row: the last axis, 1 for a scalar.
func (i Info) Row() int {
	if len(i.Shape) == 0 {
		return 1
	}
	return i.Shape[len(i.Shape)-1]
}

// Rows is the number of rows.
func (i Info) Rows() int {
	n := 1
	for axis := range len(i.Shape) - 1 {
		n *= i.Shape[axis]
	}
	return n
}

// header is all of a file but the data.
type header struct {
	version   uint32
	metadata  []KV
	keys      map[string]int
	tensors   []Info
	index     map[string]int
	alignment int64
	base      int64 // where the data begins
}

// readHeader reads and checks all that lies before the data, and that the data is as long as the infos say.
func readHeader(s *scanner) (*header, error) {
	if s.size == 0 {
		return nil, errors.New("file is empty")
	}
	start := make([]byte, min(s.size, int64(len(magic))))
	if err := tensorfile.ReadFull(s.r, start, 0); err != nil {
		return nil, err
	}
	if string(start) != magic {
		return nil, fmt.Errorf("not a GGUF file: begins with %q, not with %q", start, magic)
	}
	s.pos = int64(len(magic))
	h := &header{keys: map[string]int{}, index: map[string]int{}, alignment: defaultAlignment}
	var err error
	if h.version, err = s.uint32(); err != nil {
		return nil, err
	}
	if v := h.version; v&0xffff == 0 && v != 0 {
		return nil, fmt.Errorf("version %d is written big-endian, which is not supported", bits.ReverseBytes32(v))
	}
	if h.version != 2 && h.version != 3 {
		return nil, fmt.Errorf("version %d is not supported, 2 and 3 are", h.version)
	}
	tensors, err := s.uint64()
	if err != nil {
		return nil, err
	}
	pairs, err := s.uint64()
	if err != nil {
		return nil, err
	}
	// The least a pair can be is a key of one byte and a value of one, the least info a name of none and no axes.
	const leastPair, leastInfo = 8 + 1 + 4 + 1, 8 + 4 + 4 + 8
	if pairs > uint64(s.left()/leastPair) {
		return nil, s.failf("%d pairs of metadata do not fit the %d bytes that are left", pairs, s.left())
	}
	if tensors > uint64(s.left()/leastInfo) {
		return nil, s.failf("%d tensors do not fit the %d bytes that are left", tensors, s.left())
	}
	for range pairs {
		if err := h.readPair(s); err != nil {
			return nil, err
		}
	}
	if err := h.setAlignment(); err != nil {
		return nil, err
	}
	for range tensors {
		if err := h.readInfo(s); err != nil {
			return nil, err
		}
	}
	h.base = padded(s.pos, h.alignment)
	return h, h.checkData(max(0, s.size-h.base))
}

func (h *header) readPair(s *scanner) error {
	key, err := s.string()
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	if err := checkKey(key); err != nil {
		return s.failf("metadata: %w", err)
	}
	if _, twice := h.keys[key]; twice {
		return s.failf("metadata: key %s twice", tensorfile.Quote(key))
	}
	kind, err := s.uint32()
	if err != nil {
		return fmt.Errorf("metadata %s: %w", tensorfile.Quote(key), err)
	}
	value, err := s.value(kind)
	if err != nil {
		return fmt.Errorf("metadata %s: %w", tensorfile.Quote(key), err)
	}
	h.keys[key] = len(h.metadata)
	h.metadata = append(h.metadata, KV{key, value})
	return nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("a key is empty")
	case len(key) > maxKey:
		return fmt.Errorf("key %s of %d bytes is over the limit of %d", tensorfile.Quote(key), len(key), maxKey)
	case !utf8.ValidString(key):
		return fmt.Errorf("key %s is not valid UTF-8", tensorfile.Quote(key))
	}
	return nil
}

// setAlignment takes the alignment from the metadata.
func (h *header) setAlignment() error {
	i, ok := h.keys[alignmentKey]
	if !ok {
		return nil
	}
	a, ok := h.metadata[i].Value.(uint32)
	if !ok {
		return fmt.Errorf("metadata %q: is %T, want uint32", alignmentKey, h.metadata[i].Value)
	}
	if bits.OnesCount32(a) != 1 {
		return fmt.Errorf("metadata %q: %d is not a power of two", alignmentKey, a)
	}
	h.alignment = int64(a)
	return nil
}

func (h *header) readInfo(s *scanner) error {
	name, err := s.string()
	if err != nil {
		return fmt.Errorf("tensor infos: %w", err)
	}
	fail := func(err error) error { return &Error{Tensor: name, Err: err} }
	if err := checkName(name); err != nil {
		return fail(s.failf("%w", err))
	}
	if _, twice := h.index[name]; twice {
		return fail(s.failf("named twice"))
	}
	axes, err := s.uint32()
	if err != nil {
		return fail(err)
	}
	if axes > maxAxes {
		return fail(s.failf("%d axes, want at most %d", axes, maxAxes))
	}
	info := Info{Name: name, Shape: make([]int, axes)}
	for axis := range axes {
		ne, err := s.uint64()
		if err != nil {
			return fail(err)
		}
		if ne > math.MaxInt {
			return fail(s.failf("axis of %d elements", ne))
		}
		info.Shape[axes-1-axis] = int(ne)
	}
	kind, err := s.uint32()
	if err != nil {
		return fail(err)
	}
	info.Type = Type(kind)
	offset, err := s.uint64()
	if err != nil {
		return fail(err)
	}
	if offset > math.MaxInt64 {
		return fail(s.failf("offset %d", offset))
	}
	info.Offset = int64(offset)
	if info.Size, err = byteSize(info.Type, info.Shape); err != nil {
		return fail(s.failf("%w", err))
	}
	h.index[name] = len(h.tensors)
	h.tensors = append(h.tensors, info)
	return nil
}

func checkName(name string) error {
	switch {
	case len(name) > maxName:
		return fmt.Errorf("name of %d bytes, want at most %d", len(name), maxName)
	case !utf8.ValidString(name):
		return errors.New("the name is not valid UTF-8")
	}
	return nil
}

// byteSize counts the bytes of a tensor, -1 if its type is not known. Its elements must fit an int even without the axes of length 0, so that
// whoever multiplies some of the axes need not think of overflow.
func byteSize(t Type, shape []int) (int64, error) {
	if len(shape) > maxAxes {
		return 0, fmt.Errorf("%d axes, want at most %d", len(shape), maxAxes)
	}
	empty := false
	n := uint64(1)
	for axis, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("axis %d has the negative length %d", axis, d)
		}
		if d == 0 {
			empty = true
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, fmt.Errorf("shape %v overflows", shape)
		}
		n = lo
	}
	if !t.Known() {
		return -1, nil
	}
	block := t.BlockLen()
	if row := (Info{Shape: shape}).Row(); row%block != 0 {
		return 0, fmt.Errorf("rows of %d elements are not a multiple of the %d of a block of %v", row, block, t)
	}
	if empty {
		return 0, nil
	}
	hi, lo := bits.Mul64(n/uint64(block), uint64(t.BlockBytes()))
	if hi != 0 || lo > math.MaxInt64/2 {
		return 0, fmt.Errorf("shape %v of %v overflows", shape, t)
	}
	return int64(lo), nil
}

// checkData makes sure that the tensors lie one behind the other, each padded to the alignment, and fill the data. It sets the size of those
// whose type is not known.
func (h *header) checkData(size int64) error {
	end := int64(0)
	for i := range h.tensors {
		t := &h.tensors[i]
		if t.Offset != end {
			return errorf(t.Name, "offset %d, want %d: tensors lie one behind the other, padded to %d bytes", t.Offset, end, h.alignment)
		}
		if t.Size < 0 {
			next := size
			if i+1 < len(h.tensors) {
				next = h.tensors[i+1].Offset
			}
			if next < end || next > size {
				return errorf(t.Name, "the next tensor begins at %d, which is not between %d and the data's end at %d", next, end, size)
			}
			t.Size = next - end
		}
		if t.Size > size-end {
			return errorf(t.Name, "%d bytes at %d reach past the data's %d bytes", t.Size, t.Offset, size)
		}
		end = padded(end+t.Size, h.alignment)
	}
	// The padding of the last tensor may be missing.
	if size > end {
		return fmt.Errorf("the tensors have %d bytes of data, the file %d", end, size)
	}
	return nil
}

// layOut sets Size and Offset. Of a type that is not known Size is as it is.
func (h *header) layOut() error {
	end := int64(0)
	for i := range h.tensors {
		t := &h.tensors[i]
		size, err := byteSize(t.Type, t.Shape)
		if err != nil {
			return &Error{Tensor: t.Name, Err: err}
		}
		if size >= 0 {
			t.Size = size
		}
		if t.Size < 0 || t.Size > math.MaxInt64/2-h.alignment-end {
			return errorf(t.Name, "%d bytes behind %d others", t.Size, end)
		}
		t.Offset = end
		end = padded(end+t.Size, h.alignment)
	}
	return nil
}

// dataSize is the number of bytes of the data with all padding.
func (h *header) dataSize() int64 {
	if len(h.tensors) == 0 {
		return 0
	}
	last := h.tensors[len(h.tensors)-1]
	return padded(last.Offset+last.Size, h.alignment)
}

// front gives the bytes before the data, but for the padding.
func (h *header) front() ([]byte, error) {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte(magic), version)
	b = le.AppendUint64(b, uint64(len(h.tensors)))
	b = le.AppendUint64(b, uint64(len(h.metadata)))
	for _, kv := range h.metadata {
		var err error
		if b, err = appendValue(appendString(b, kv.Key), kv.Value); err != nil {
			return nil, fmt.Errorf("metadata %s: %w", tensorfile.Quote(kv.Key), err)
		}
	}
	for _, t := range h.tensors {
		b = le.AppendUint32(appendString(b, t.Name), uint32(len(t.Shape)))
		for axis := len(t.Shape) - 1; axis >= 0; axis-- {
			b = le.AppendUint64(b, uint64(t.Shape[axis]))
		}
		b = le.AppendUint64(le.AppendUint32(b, uint32(t.Type)), uint64(t.Offset))
	}
	if len(b) > maxFront {
		return nil, fmt.Errorf("metadata and tensor infos of %d bytes are over the limit of %d", len(b), maxFront)
	}
	return b, nil
}

// padded rounds up to a multiple of a power of two.
func padded(n, alignment int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }

// piece finds a tensor and makes sure that it has n bytes at off.
func (h *header) piece(name string, n int, off int64) (int, error) {
	i, ok := h.index[name]
	if !ok {
		return 0, errors.New("no such tensor")
	}
	return i, tensorfile.CheckPiece(h.tensors[i].Size, n, off)
}
