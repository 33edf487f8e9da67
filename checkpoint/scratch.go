package checkpoint

import (
	"encoding/binary"
	"slices"
	"sync"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// element is an element of a stored tensor.
type element interface {
	int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | float32 | float16.Float16 | bf16.BFloat16
}

// pieceLen is how many elements are worked on at a time, so that they stay in a core's cache.
const pieceLen = 1 << 16

// memory is lent for one purpose after the other, aligned to every element.
type memory []uint64

// lend returns room for n elements. What it holds is what was left there.
func lend[E element](m *memory, n int) []E {
	size := int(unsafe.Sizeof(*new(E)))
	words := (n*size + 7) / 8
	if cap(*m) < words {
		*m = make(memory, words)
	}
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData((*m)[:cap(*m)]))), n)
}

// scratch is the memory of one call.
type scratch struct {
	stored, codes, bytes, values, scale, zero, minval, table, column, joined, gathered, whole memory
	groups                                                                                    quant.Params
	groupsOfRow                                                                               []groupOfRow
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// bytesOf views elements as the bytes that they have in memory.
func bytesOf[E element](elements []E) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(elements))), len(elements)*int(unsafe.Sizeof(*new(E))))
}

// wordsIn views bytes that are aligned to words as these.
func wordsIn(b []byte) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// toggleEndian turns elements from little-endian, which files are, to the machine's order, or back.
func toggleEndian[E element](elements []E) {
	size := int(unsafe.Sizeof(*new(E)))
	if bigEndian && size > 1 {
		for one := range slices.Chunk(bytesOf(elements), size) {
			slices.Reverse(one)
		}
	}
}

// read reads elements from a byte of a stored tensor on.
func read[E element](from Stored, dst []E, off int64) error {
	if err := from.File.ReadTensor(from.Name, bytesOf(dst), off); err != nil {
		return err
	}
	toggleEndian(dst)
	return nil
}

// A gap between what is wanted of two rows is read, too, if it is shorter than what takes as long as a call; at most gapBytes at a time.
const (
	gapLen   = 4 << 10
	gapBytes = 256 << 10
)

// readColumns reads n columns from one on, of some rows of so many columns.
func readColumns[E element](from Stored, s *scratch, dst []E, row, rows, cols, first, n int) error {
	size := int(unsafe.Sizeof(*new(E)))
	if n == cols {
		return read(from, dst, int64(row)*int64(cols)*int64(size))
	}
	raw := func(dst []E, row, first int) error {
		return from.File.ReadTensor(from.Name, bytesOf(dst), (int64(row)*int64(cols)+int64(first))*int64(size))
	}
	if (cols-n)*size >= gapLen {
		for r := range rows {
			if err := raw(dst[r*n:][:n], row+r, first); err != nil {
				return err
			}
		}
	} else {
		most := max(1, gapBytes/(cols*size))
		for r := 0; r < rows; r += most {
			some := lend[E](&s.whole, min(most, rows-r)*cols)
			if err := raw(some, row+r, 0); err != nil {
				return err
			}
			for i := range len(some) / cols {
				copy(dst[(r+i)*n:][:n], some[i*cols+first:])
			}
		}
	}
	toggleEndian(dst)
	return nil
}

// narrow rounds float32 to T.
func narrow[T kernels.Float](dst []T, src []float32) {
	switch dst := any(dst).(type) {
	case []float32:
		copy(dst, src)
	case []float16.Float16:
		kernels.EncodeFloat16(dst, src)
	case []bf16.BFloat16:
		kernels.EncodeBFloat16(dst, src)
	}
}

// as views bytes as elements of a byte.
func as[E ~uint8 | ~int8](b []uint8) []E {
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}

// sameType tells whether T is that element type.
func sameType[T kernels.Float](t safetensors.DType) bool { return dtypeOf[T]() == t }

// dtypeOf is T's element type.
func dtypeOf[T kernels.Float]() safetensors.DType {
	switch any(*new(T)).(type) {
	case float16.Float16:
		return safetensors.F16
	case bf16.BFloat16:
		return safetensors.BF16
	}
	return safetensors.F32
}
