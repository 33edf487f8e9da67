package safetensors

import (
	"fmt"
	"iter"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Shape is a tensor's shape: the length of each axis, outermost first. The zero value is that of a scalar. Shapes are equal if == says
// so. A shape from a file lies in the memory of the file's header, however many axes it has.
type Shape struct {
	text string // the lengths in decimal, separated by commas
}

// ShapeOf makes a shape of the lengths of its axes.
func ShapeOf(dims ...int) Shape {
	var text []byte
	for axis, d := range dims {
		if axis > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(d), 10)
	}
	return Shape{string(text)}
}

// Rank counts the axes.
func (s Shape) Rank() int {
	if s.text == "" {
		return 0
	}
	return strings.Count(s.text, ",") + 1
}

// All yields the axes and their lengths.
func (s Shape) All() iter.Seq2[int, int] {
	return func(yield func(axis, d int) bool) {
		rest := s.text
		for axis := 0; rest != ""; axis++ {
			var text string
			text, rest, _ = strings.Cut(rest, ",")
			d, _ := strconv.Atoi(text) // ShapeOf and the header's scanner write what fits an int
			if !yield(axis, d) {
				return
			}
		}
	}
}

// Dims gives the lengths of the axes in a slice of their own, which is empty for a scalar.
func (s Shape) Dims() []int {
	dims := make([]int, 0, s.Rank())
	for _, d := range s.All() {
		dims = append(dims, d)
	}
	return dims
}

// Elements counts the elements. Those of a tensor in a file, and of one that Create takes, fit an int.
func (s Shape) Elements() int {
	n := 1
	for _, d := range s.All() {
		n *= d
	}
	return n
}

// String writes the shape as [2,3].
func (s Shape) String() string { return "[" + s.text + "]" }

// short writes the shape for a line of text: one of absurd rank is cut.
func (s Shape) short() string {
	const most = 16
	text := []byte("[")
	for axis, d := range s.All() {
		if axis > 0 {
			text = append(text, ", "...)
		}
		if axis == most {
			text = append(text, "..."...)
			break
		}
		text = strconv.AppendInt(text, int64(d), 10)
	}
	return string(append(text, ']'))
}

// byteSize counts the bytes of a tensor, whose elements and bits must fit an int64.
func byteSize(t DType, shape Shape) (int64, error) {
	if !t.valid() {
		return 0, fmt.Errorf("unknown dtype %v", t)
	}
	empty, overflow := false, false
	n := uint64(1)
	for axis, d := range shape.All() {
		switch {
		case d < 0:
			return 0, fmt.Errorf("axis %d has the negative length %d", axis, d)
		case d == 0:
			empty = true
		case !overflow:
			var hi uint64
			hi, n = bits.Mul64(n, uint64(d))
			overflow = hi != 0 || n > math.MaxInt
		}
	}
	if empty {
		return 0, nil
	}
	hi, lo := bits.Mul64(n, uint64(t.Bits()))
	if overflow || hi != 0 || lo > math.MaxInt64 {
		return 0, fmt.Errorf("shape %s of %v overflows", shape.short(), t)
	}
	if lo%8 != 0 {
		return 0, fmt.Errorf("shape %s of %v does not fill whole bytes", shape.short(), t)
	}
	return int64(lo / 8), nil
}
