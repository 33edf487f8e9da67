package safetensors

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Info describes a tensor of a file.
type Info struct {
	Name   string
	DType  DType
	Shape  []int // outermost axis first; empty for a scalar
	Offset int64 // of the first byte, from the start of the data
	Size   int64 // in bytes
}

// Elements counts the elements. In a file that was opened they fit an int.
func (i Info) Elements() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// byteSize counts the bytes of a tensor. Its elements must fit an int even without the dimensions that are 0,
// so that whoever multiplies some of the dimensions need not think of overflow.
func byteSize(t DType, shape []int) (int64, error) {
	if !t.valid() {
		return 0, fmt.Errorf("unknown dtype %v", t)
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
			return 0, fmt.Errorf("shape %s overflows", shapeText(shape))
		}
		n = lo
	}
	if empty {
		return 0, nil
	}
	hi, lo := bits.Mul64(n, uint64(t.Bits()))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, fmt.Errorf("shape %s of %v overflows", shapeText(shape), t)
	}
	if lo%8 != 0 {
		return 0, fmt.Errorf("shape %s of %v does not fill whole bytes", shapeText(shape), t)
	}
	return int64(lo / 8), nil
}

// layOut sets Size and Offset. Tensors with wider elements lie in front, otherwise in the order given:
// each then begins at a multiple of its element's size, as readers that map a file like to have it.
func layOut(tensors []Info) error {
	for i := range tensors {
		t := &tensors[i]
		size, err := byteSize(t.DType, t.Shape)
		if err != nil {
			return &Error{Tensor: t.Name, Err: err}
		}
		t.Size = size
	}
	end := int64(0)
	for _, i := range order(tensors, func(a, b *Info) int { return cmp.Compare(b.DType.Bits(), a.DType.Bits()) }) {
		t := &tensors[i]
		if t.Size > maxData-end {
			return errorf(t.Name, "%d bytes behind %d others are too many for a file", t.Size, end)
		}
		t.Offset = end
		end += t.Size
	}
	return nil
}

// checkCover makes sure that the tensors cover the data exactly.
func checkCover(tensors []Info, dataSize int64) error {
	end := int64(0)
	before := "" // the tensor that ends there
	for _, i := range order(tensors, func(a, b *Info) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size))
	}) {
		t := &tensors[i]
		switch stop := t.Offset + t.Size; {
		case t.Offset < end:
			return errorf(t.Name, "%s overlap tensor %s, which ends at %d", t.rangeText(), quote(before), end)
		case t.Offset > end:
			return errorf(t.Name, "%s leave a hole: no tensor has the bytes from %d", t.rangeText(), end)
		case stop > dataSize:
			return errorf(t.Name, "%s reach past the data's %d bytes", t.rangeText(), dataSize)
		default:
			end, before = stop, t.Name
		}
	}
	if end != dataSize {
		return errorf("", "the tensors have %d bytes of data, the file %d", end, dataSize)
	}
	return nil
}

// order gives the tensors' indices, sorted stably.
func order(tensors []Info, compare func(a, b *Info) int) []int {
	idx := make([]int, len(tensors))
	for i := range idx {
		idx[i] = i
	}
	slices.SortStableFunc(idx, func(a, b int) int { return compare(&tensors[a], &tensors[b]) })
	return idx
}

func (i *Info) rangeText() string {
	return fmt.Sprintf("data_offsets [%d, %d]", i.Offset, i.Offset+i.Size)
}

// shapeText writes a shape as the header does, and cuts one of absurd rank.
func shapeText(shape []int) string {
	const most = 16
	text := []byte("[")
	for axis, d := range shape {
		if axis > 0 {
			text = append(text, ", "...)
		}
		if axis == most {
			text = append(text, "..."...)
			break
		}
		text = fmt.Append(text, d)
	}
	return string(append(text, ']'))
}
