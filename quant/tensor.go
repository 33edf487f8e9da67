package quant

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/x448/float16"
)

// Tensor is a view of a contiguous, row-major tensor: its data and its shape, nothing else. A scalar's shape is empty.
//
// A *Tensor that is written to keeps its Data if the capacity is enough, and gets a new one if not; so does its Shape.
// Its Data may be the source's own (in place), but not overlap it otherwise.
type Tensor[T kernels.Float] struct {
	Data  []T
	Shape []int
}

// MaskKind is the form of a mask. The zero value is NoMask.
type MaskKind uint8

// The kinds of mask.
const (
	NoMask   MaskKind = iota
	ByteMask          // a byte for each element, 0 or 1
	BitMask           // a bit for each element, bit i%8 of byte i/8; padded with zeros
)

// Mask says of each element of a tensor whether its gradient passes: whether its code, before clamping, was within the quantized range.
// Kind is the caller's choice. Data is kept if its capacity is enough, and replaced if not.
// It is empty after a pass that quantized nothing: then all gradients pass.
type Mask struct {
	Kind MaskKind
	Data []byte
}

// bytes returns the size of a mask for n elements.
func (k MaskKind) bytes(n int) int {
	switch k {
	case ByteMask:
		return n
	case BitMask:
		return kernels.BitMaskLen(n)
	}
	return 0
}

// kernel returns the mask of the n elements from at on; for a BitMask, at is a multiple of 8.
func (m Mask) kernel(at, n int) kernels.Mask {
	switch m.Kind {
	case ByteMask:
		return kernels.ByteMask(m.Data[at:][:n])
	case BitMask:
		return kernels.BitMask(m.Data[at/8:][:kernels.BitMaskLen(n)])
	}
	return kernels.NoMask
}

// elements returns the number of elements of a shape, that of the field of x.
func elements(x, field string, shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > math.MaxInt/d {
			return 0, shapeError(x+field, shape, "dimensions of at least 0 and a product within an int")
		}
		n *= d
	}
	return n, nil
}

// check holds data against shape.
func (t Tensor[T]) check(field string) error {
	n, err := elements(field, ".Shape", t.Shape)
	if err == nil && n != len(t.Data) {
		err = shapeError("len("+field+".Data)", len(t.Data), "%d, as the shape is %s", n, shapeString(t.Shape))
	}
	return err
}

// like makes t a destination for n elements of that shape, and returns its data.
func (t *Tensor[T]) like(shape []int, n int) []T {
	t.Data, t.Shape = grow(t.Data, n), copyShape(t.Shape, shape)
	return t.Data
}

// apart refuses a destination whose memory overlaps its source, but is not the same.
func (t *Tensor[T]) apart(source []T) error {
	if n := len(source); n > 0 && cap(t.Data) >= n {
		if data := t.Data[:n]; &data[0] != &source[0] && overlap(data, source) {
			return &Error{ErrShape, "the destination", "overlapping its source", "the same memory, or memory apart"}
		}
	}
	return nil
}

// overlap tells whether two slices share memory.
func overlap[T any](a, b []T) bool {
	start := func(s []T) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }
	size := unsafe.Sizeof(a[0])
	return start(a) < start(b)+uintptr(len(b))*size && start(b) < start(a)+uintptr(len(a))*size
}

// copyShape returns a copy of a shape, in dst's memory if it has room. It is never nil: a scalar's is [].
func copyShape(dst, shape []int) []int {
	if len(shape) > cap(dst) || dst == nil {
		dst = make([]int, len(shape))
	}
	dst = dst[:len(shape)]
	//lint:ignore S1001 copy is a call, which takes longer than a few numbers do
	for i, d := range shape {
		dst[i] = d
	}
	return dst
}

// grow returns a slice of n elements, s itself if it has room. The elements are not set.
func grow[E any](s []E, n int) []E {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]E, n)
}

// elementOf returns T's element.
func elementOf[T kernels.Float]() element {
	var x T
	switch any(x).(type) {
	case float16.Float16:
		return elementF16
	case bf16.BFloat16:
		return elementBF16
	}
	return elementF32
}

// roundNarrow is round for the types of two bytes.
func (e element) roundNarrow(x float32) float32 {
	if e == elementF16 {
		return float16.Fromfloat32(x).Float32()
	}
	return bf16.FromFloat32(x).Float32()
}

// widen converts to float32, exactly.
func widen[T kernels.Float](dst []float32, src []T) {
	switch src := any(src).(type) {
	case []float32:
		copy(dst, src)
	case []float16.Float16:
		if len(src) >= someWide {
			kernels.DecodeFloat16(dst[:len(src)], src)
			return
		}
		for i, x := range src {
			dst[i] = x.Float32()
		}
	case []bf16.BFloat16:
		if len(src) >= someWide {
			kernels.DecodeBFloat16(dst[:len(src)], src)
			return
		}
		for i, x := range src {
			dst[i] = x.Float32()
		}
	}
}

// someWide are so many elements that a kernel converts them in less time than a loop.
const someWide = 16

// roundAll rounds numbers to an element type.
func roundAll[T kernels.Float](x []float32) {
	if elementOf[T]() == elementF32 {
		return
	}
	var buf [8 * someWide]T
	for len(x) > 0 {
		n := min(len(x), len(buf))
		switch narrow := any(buf[:n]).(type) {
		case []float16.Float16:
			kernels.EncodeFloat16(narrow, x[:n])
		case []bf16.BFloat16:
			kernels.EncodeBFloat16(narrow, x[:n])
		}
		widen(x[:n], buf[:n])
		x = x[n:]
	}
}

// oneNaN returns x, or the NaN that the kernels have.
func oneNaN(x float32) float32 {
	if x != x {
		return math.Float32frombits(0x7FC00000)
	}
	return x
}

// nan returns the NaN that the kernels have.
func nan[T kernels.Float]() (x T) {
	switch x := any(&x).(type) {
	case *float32:
		*x = math.Float32frombits(0x7FC00000)
	case *float16.Float16:
		*x = 0x7E00 // as the kernels have it
	case *bf16.BFloat16:
		*x = bf16.NaN
	}
	return x
}
