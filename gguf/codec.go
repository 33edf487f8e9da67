package gguf

import (
	"encoding/binary"
	"fmt"
	"sync"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
)

// Blocks says how rows of elements are kept as blocks.
type Blocks struct {
	Type Type

	// Row is the number of elements of a row, a multiple of the type's BlockLen. It matters where there is an importance matrix and where there
	// are several workers; 0 says that all elements are one row.
	Row int

	// Importance has a weight for each element of a row, the same in all rows, or is nil. Quantize gives more of the accuracy to elements of
	// larger weight; types for which Weighed is false do not look at it.
	Importance []float32

	// Workers is the number of goroutines that share the rows; 0 stands for 1, which allocates nothing. Results do not depend on it.
	Workers int
}

// Quantize writes the blocks of src to dst, which has Type.Bytes(len(src)) bytes. The package comment says what they are, and what becomes of
// NaN and infinities. It panics if the lengths do not agree, if rows are not whole, and if the type is not Supported.
func Quantize[T kernels.Float](dst []byte, src []T, b Blocks) {
	const function = "Quantize"
	row := b.check(function, len(src), "src", len(dst), "dst")
	if b.Importance != nil && len(b.Importance) != row {
		panic(fmt.Sprintf("gguf: %s: len(Importance)=%d, want %d", function, len(b.Importance), row))
	}
	if len(src) == 0 {
		return
	}
	im := b.Importance
	if !b.Type.Weighed() {
		im = nil
	}
	if b.Workers < 2 {
		quantizeRows(dst, src, b.Type, row, im)
		return
	}
	b.split(row, len(src), func(first, last int) {
		quantizeRows(dst[b.Type.Bytes(first):b.Type.Bytes(last)], src[first:last], b.Type, row, im)
	})
}

// Dequantize writes the values of the blocks in src, which has Type.Bytes(len(dst)) bytes, to dst. Each is computed as float32, and rounded to
// T. It panics if the lengths do not agree, if rows are not whole, and if the type is not Supported.
func Dequantize[T kernels.Float](dst []T, src []byte, b Blocks) {
	row := b.check("Dequantize", len(dst), "dst", len(src), "src")
	if len(dst) == 0 {
		return
	}
	if b.Workers < 2 {
		dequantizeBlocks(dst, src, b.Type)
		return
	}
	b.split(row, len(dst), func(first, last int) {
		dequantizeBlocks(dst[first:last], src[b.Type.Bytes(first):b.Type.Bytes(last)], b.Type)
	})
}

// check panics unless n elements are whole rows and have that many bytes. It returns the length of a row.
func (b Blocks) check(function string, n int, elements string, bytes int, blocks string) (row int) {
	fail := func(format string, args ...any) { panic("gguf: " + function + ": " + fmt.Sprintf(format, args...)) }
	if !b.Type.Supported() {
		fail("%v is not supported", b.Type)
	}
	row = b.Row
	if row == 0 {
		row = n
	}
	if row < 0 || row%b.Type.BlockLen() != 0 {
		fail("rows of %d elements, want a multiple of the %d of a block", row, b.Type.BlockLen())
	}
	if n > 0 && n%row != 0 {
		fail("len(%s)=%d, want a multiple of the %d of a row", elements, n, row)
	}
	if want := b.Type.Bytes(n); bytes != want {
		fail("len(%s)=%d, want %d", blocks, bytes, want)
	}
	return row
}

// split lets each worker do as many rows as the others.
func (b Blocks) split(row, n int, do func(first, last int)) {
	rows := n / row
	workers := min(b.Workers, rows)
	var others sync.WaitGroup
	for k := range workers {
		first, last := rows*k/workers*row, rows*(k+1)/workers*row
		if k == workers-1 {
			do(first, last)
		} else {
			others.Go(func() { do(first, last) })
		}
	}
	others.Wait()
}

// pieceLen is the number of elements that are worked on at a time: whole blocks of every type, in the first cache with all that belongs to
// them.
const pieceLen = 4096

// scratch is the memory that one goroutine works with. It begins at a page, and what loops go over at lines of the cache.
type scratch struct {
	wide     [pieceLen]float32
	float16  [pieceLen]float16.Float16
	bfloat16 [pieceLen]bf16.BFloat16
	unpacked unpacked
	ranges   ranges
	ends     [2 * pieceLen / 16]uint16 // ranges of elements of 16 bits
	written  writtenParams
	fits     fits // last: only what is before it has lengths of whole lines of the cache
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// quantizeRows quantizes whole rows.
func quantizeRows[T kernels.Float](dst []byte, src []T, t Type, row int, im []float32) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if im == nil {
		row = len(src) // blocks do not depend on their row
	}
	var means [8]float32 // of the squares of rows
	for i := 0; len(src) > 0; i, src = i+1, src[row:] {
		if im != nil && meanOfRow(t) && i%len(means) == 0 {
			meansOfRows(s, &means, src, row)
		}
		for at := 0; at < row; at += pieceLen {
			piece := src[at:min(at+pieceLen, row)]
			n := t.Bytes(len(piece))
			if im == nil && t.computed() {
				quantizeSimple(s, dst[:n], piece, t)
			} else {
				var weights []float32
				if im != nil {
					weights = im[at:][:len(piece)]
				}
				s.quantize(dst[:n], widen(s.wide[:len(piece)], piece), t, weights, means[i%len(means)])
			}
			dst = dst[n:]
		}
	}
}

// computed tells whether scales are computed where there is no importance matrix, and not searched for.
func (t Type) computed() bool {
	switch t {
	case Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, MXFP4, NVFP4:
		return true
	}
	return false
}

// meanOfRow tells whether the weights that an importance matrix gives depend on the whole row.
func meanOfRow(t Type) bool { return t == Q4_0 || t == Q4_1 || t == Q5_0 || t == Q5_1 }

// meansOfRows sets means to those of the squares of as many rows as there are.
func meansOfRows[T kernels.Float](s *scratch, means *[8]float32, src []T, row int) {
	const step = pieceLen / len(means)
	rows := min(len(src)/row, len(means))
	*means = [8]float32{}
	var parts [8][]float32
	for at := 0; at < row; at += step {
		n := min(step, row-at)
		for r := range rows {
			parts[r] = widen(s.wide[step*r:][:n], src[row*r+at:][:n])
		}
		if rows == len(means) {
			addSquares(means, &parts)
			continue
		}
		for r, part := range parts[:rows] {
			sum := means[r]
			for _, v := range part {
				sum += float32(v * v)
			}
			means[r] = sum
		}
	}
	for r := range means {
		means[r] /= float32(row)
	}
}

// widen returns elements as float32, in the memory given unless they are that already.
func widen[T kernels.Float](wide []float32, src []T) []float32 {
	switch any(*new(T)).(type) {
	case float32:
		return as[float32](src)
	case float16.Float16:
		kernels.DecodeFloat16(wide, as[float16.Float16](src))
	case bf16.BFloat16:
		kernels.DecodeBFloat16(wide, as[bf16.BFloat16](src))
	}
	return wide
}

// as views elements as those of the type that they have.
func as[E, T any](elements []T) []E {
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(elements))), len(elements))
}

// quantize quantizes at most pieceLen elements, to a type without scales or one that searches for them.
func (s *scratch) quantize(dst []byte, x []float32, t Type, im []float32, mean float32) {
	switch t {
	case F32:
		putFloats(dst, x)
	case F16:
		half := s.float16[:len(x)]
		kernels.EncodeFloat16(half, x)
		putFloats(dst, half)
	case BF16:
		half := s.bfloat16[:len(x)]
		kernels.EncodeBFloat16(half, x)
		putFloats(dst, half)
	case Q4_0, Q5_0:
		s.fits.quantizeSignedWeighed(dst, x, t, im, mean)
	case Q4_1, Q5_1:
		s.fits.quantizeRangedWeighed(dst, x, t, im, mean)
	case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K:
		s.fits.quantizeK(dst, x, t, im)
	case IQ4_NL, IQ4_XS:
		s.fits.quantizeIQ4(dst, x, t, im)
	}
}

// number is an element whose bytes lie in files as they are.
type number interface {
	float32 | float16.Float16 | bf16.BFloat16
}

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// putFloats writes elements little-endian.
func putFloats[E number](dst []byte, src []E) {
	copy(dst, bytesOf(src))
	swap(dst, int(unsafe.Sizeof(src[0])))
}

// getFloats reads elements that are little-endian.
func getFloats[E number](dst []E, src []byte) {
	b := bytesOf(dst)
	copy(b, src)
	swap(b, int(unsafe.Sizeof(dst[0])))
}

// bytesOf views elements as the bytes that they have in memory.
func bytesOf[E number](elements []E) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(elements))), len(elements)*int(unsafe.Sizeof(elements[0])))
}

// swap turns the bytes of elements round on a machine whose order is the other one.
func swap(b []byte, size int) {
	if !bigEndian {
		return
	}
	for ; len(b) > 0; b = b[size:] {
		for i, j := 0, size-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}
