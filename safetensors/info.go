package safetensors

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// Info describes a tensor of a file.
type Info struct {
	Name   string
	DType  DType
	Shape  Shape
	Offset int64 // of the first byte, from the start of the data
	Size   int64 // in bytes
}

// Elements counts the elements.
func (i Info) Elements() int { return i.Shape.Elements() }

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
			return errorf(t.Name, "%s overlap tensor %s, which ends at %d", t.rangeText(), tensorfile.Quote(before), end)
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
func order(tensors []Info, compare func(a, b *Info) int) []uint32 {
	idx := make([]uint32, len(tensors))
	for i := range idx {
		idx[i] = uint32(i)
	}
	slices.SortStableFunc(idx, func(a, b uint32) int { return compare(&tensors[a], &tensors[b]) })
	return idx
}

func (i *Info) rangeText() string {
	return fmt.Sprintf("data_offsets [%d, %d]", i.Offset, i.Offset+i.Size)
}
