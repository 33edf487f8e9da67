// Package record keeps vectors as records: of each vector a scale, an offset and one
// byte per element, side by side, as the rows of a vector database lie.
//
// A record of a vector of Dim elements is
//
//	bytes 0..3           scale, a float32, little-endian
//	bytes 4..7           offset, a float32, little-endian
//	bytes 8..8+Dim-1     codes q, an int8 or a uint8 each
//
// and a vector's value is
//
//	Int8                 q*scale                       offset is 0
//	Int8Asymmetric       (q + 128)*scale + offset
//	Uint8                q*scale + offset
//
// with each operation rounded to float32, and the result to the vectors' element
// type.
//
// Scale and offset follow from the vector's least and greatest element, lo and hi,
// widened to hold 0, in the arithmetic of package kernels and of its reference:
//
//	Int8                 scale = max(max(-lo, hi)/127, 2^-23)    q = clamp(round(x/scale), -127, 127)
//	Int8Asymmetric       scale = max((hi - lo)/255, 2^-23)       q = clamp(round((x - lo)/scale) - 128, -128, 127)
//	Uint8                scale = max((hi - lo)/255, 2^-23)       q = clamp(round((x - lo)/scale), 0, 255)
//
// where offset is lo for the last two and ties are rounded to even. Scales are
// rounded to the vectors' element type, as each operation that leads to them is, and
// codes are computed in float32. The bytes are the same on every machine.
//
// # Products
//
// Two records are compared without their values. Params gives a record's scale and offset, and kernels.View its
// codes as a slice of int8; those of Uint8 are bytes as they are. With (s, o) and (t, p) the scales and offsets of
// two records and q and r their codes, without rounding
//
//	Int8                 sum x*y = s*t * sum q*r
//	Uint8                sum x*y = s*t * sum q*r + s*p * sum q + o*t * sum r + Dim*o*p
//
// and Int8Asymmetric is as Uint8, with q + 128 and r + 128 for q and r.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/lowbit-go/lowbit/kernels"
)

// HeaderBytes is the size of a record's scale and offset.
const HeaderBytes = 8

// Code is what an element is kept as.
type Code uint8

// The codes; the package comment has their formulas.
const (
	Int8           Code = iota // symmetric, -127..127: products of two records are products of codes
	Int8Asymmetric             // all 256 codes between the least and the greatest element
	Uint8                      // the same, from 0 on
	codes
)

// String returns the name of the constant.
func (c Code) String() string {
	if c >= codes {
		return fmt.Sprintf("Code(%d)", uint8(c))
	}
	return [...]string{"Int8", "Int8Asymmetric", "Uint8"}[c]
}

// ErrNonFinite is matched by the error about a vector with a NaN or an infinity, or
// one whose range float32 does not hold, and about a record with such parameters.
var ErrNonFinite = errors.New("not finite")

// Codec makes records of vectors of element type T, and vectors of records. It is a
// value without state: any number of goroutines may use it. Neither way allocates.
type Codec[T kernels.Float] struct {
	// Dim is the number of elements of a vector, at least 1.
	Dim int

	// Stride is the number of bytes from one record to the next, at least
	// HeaderBytes + Dim, or 0 for that. What lies between two records is left alone.
	Stride int

	Code Code
}

// Bytes returns the size of n records: n-1 strides, and the last record.
func (c Codec[T]) Bytes(n int) int {
	if n <= 0 {
		return 0
	}
	return (n-1)*c.stride() + HeaderBytes + c.Dim
}

func (c Codec[T]) stride() int {
	if c.Stride == 0 {
		return HeaderBytes + c.Dim
	}
	return c.Stride
}

// Quantize makes a record of each vector of x, which lie one behind the other.
// len(x) is a multiple of Dim, and len(dst) at least Bytes of that many.
//
// The error is about the fields or the lengths, and then nothing is written; or it
// matches ErrNonFinite and names a vector: records before it are written, and those
// from it on are as they were.
func (c Codec[T]) Quantize(dst []byte, x []T) error {
	n, err := c.vectors("x", len(x))
	if err == nil {
		err = c.check("dst", len(dst), n)
	}
	if err != nil {
		return err
	}
	if n == 1 {
		var scale, offset [1]float32
		return c.quantizeEach(dst, x, 0, scale[:], offset[:])
	}
	if c.Dim < alone {
		return c.quantizeTogether(dst, x, n)
	}
	var scale, offset [scratch / alone]float32
	for first, step := 0, c.step(); first < n; first += step {
		most := min(step, n-first)
		if err := c.quantizeEach(dst, x, first, scale[:most], offset[:most]); err != nil {
			return err
		}
	}
	return nil
}

// quantizeEach quantizes the vectors from the first on for which there is room for scales, each into its record.
func (c Codec[T]) quantizeEach(dst []byte, x []T, first int, scale, offset []float32) error {
	in := x[first*c.Dim:][:len(scale)*c.Dim]
	k := c.observe(in, scale, offset)
	p := c.params(scale, offset)
	for i := range k {
		record := dst[(first+i)*c.stride():]
		if p.Scale = scale[i:][:1]; p.Minval != nil {
			p.Minval = offset[i:][:1]
		}
		kernels.QuantizeInt(record[HeaderBytes:][:c.Dim], in[i*c.Dim:][:c.Dim], kernels.Grid{Rows: 1, Groups: 1, Len: c.Dim}, &p)
		putParams(record, scale[i], offset[i])
	}
	if k < len(scale) {
		return c.refuse(first + k)
	}
	return nil
}

// quantizeTogether quantizes some vectors at a time.
func (c Codec[T]) quantizeTogether(dst []byte, x []T, n int) error {
	var codes [scratch]byte
	var scale, offset [together]float32
	for first, step := 0, c.step(); first < n; first += step {
		most := min(step, n-first)
		in := x[first*c.Dim:][:most*c.Dim]
		k := c.observe(in, scale[:most], offset[:most])
		p := c.params(scale[:k], offset[:k])
		kernels.QuantizeInt(codes[:k*c.Dim], in[:k*c.Dim], kernels.Grid{Rows: 1, Groups: k, Len: c.Dim}, &p)
		for i := range k {
			record := dst[(first+i)*c.stride():]
			putParams(record, scale[i], offset[i])
			copy(record[HeaderBytes:], codes[i*c.Dim:][:c.Dim])
		}
		if k < most {
			return c.refuse(first + k)
		}
	}
	return nil
}

// observe finds the parameters of vectors, and returns how many of them there are before one that has none.
func (c Codec[T]) observe(x []T, scale, offset []float32) int {
	r := kernels.IntRule{Format: c.format(), Scale: scale}
	r.Min, r.Max = c.limits()
	if c.Code != Int8 {
		r.Asymmetric, r.ByMinval, r.Minval = true, true, offset
	}
	kernels.ObserveInt(x, kernels.Grid{Rows: 1, Groups: len(scale), Len: c.Dim}, &r)
	return finite(scale, offset)
}

func putParams(record []byte, scale, offset float32) {
	binary.LittleEndian.PutUint32(record, math.Float32bits(scale))
	binary.LittleEndian.PutUint32(record[4:], math.Float32bits(offset))
}

func (c Codec[T]) refuse(vector int) error {
	return fmt.Errorf("record: vector %d has a NaN or an infinity, or a range that %T does not hold: %w", vector, *new(T), ErrNonFinite)
}

// Dequantize writes the vectors of records, one behind the other. len(dst) is a
// multiple of Dim, and len(src) at least Bytes of that many. For one record, give
// src from where it begins and a dst of Dim elements.
//
// The error is about the fields or the lengths, and then nothing is written; or it
// matches ErrNonFinite and names a record whose scale or offset is no finite number:
// vectors before it are written.
func (c Codec[T]) Dequantize(dst []T, src []byte) error {
	n, err := c.vectors("dst", len(dst))
	if err == nil {
		err = c.check("src", len(src), n)
	}
	if err != nil {
		return err
	}
	if n > 1 && c.Dim < alone {
		return c.dequantizeTogether(dst, src, n)
	}
	var scale, offset [1]float32
	p := c.params(scale[:], offset[:])
	for i := range n {
		record := src[i*c.stride():]
		if scale[0], offset[0] = Params(record); finite(scale[:], offset[:]) == 0 {
			return refuseRecord(i, scale[0], offset[0])
		}
		kernels.DequantizeInt(dst[i*c.Dim:][:c.Dim], record[HeaderBytes:][:c.Dim], kernels.Grid{Rows: 1, Groups: 1, Len: c.Dim}, &p)
	}
	return nil
}

// dequantizeTogether dequantizes some records at a time.
func (c Codec[T]) dequantizeTogether(dst []T, src []byte, n int) error {
	var codes [scratch]byte
	var scale, offset [together]float32
	for first, step := 0, c.step(); first < n; first += step {
		most := min(step, n-first)
		for i := range most {
			scale[i], offset[i] = Params(src[(first+i)*c.stride():])
		}
		k := finite(scale[:most], offset[:most])
		for i := range k {
			copy(codes[i*c.Dim:][:c.Dim], src[(first+i)*c.stride()+HeaderBytes:])
		}
		p := c.params(scale[:k], offset[:k])
		kernels.DequantizeInt(dst[first*c.Dim:][:k*c.Dim], codes[:k*c.Dim], kernels.Grid{Rows: 1, Groups: k, Len: c.Dim}, &p)
		if k < most {
			return refuseRecord(first+k, scale[k], offset[k])
		}
	}
	return nil
}

func refuseRecord(record int, scale, offset float32) error {
	return fmt.Errorf("record: record %d has scale %g and offset %g: %w", record, scale, offset, ErrNonFinite)
}

// Params returns the scale and the offset of the record that begins at src, which
// has HeaderBytes at least.
func Params(src []byte) (scale, offset float32) {
	return math.Float32frombits(binary.LittleEndian.Uint32(src)), math.Float32frombits(binary.LittleEndian.Uint32(src[4:HeaderBytes]))
}

// Vectors are worked on some at a time, so that the kernels' calls are long: so many
// elements, and so many vectors. To gather the codes of so long a vector takes longer
// than a call for it alone.
const (
	scratch  = 8 << 10
	together = 64
	alone    = 512
)

// step is the number of vectors that are worked on at a time.
func (c Codec[T]) step() int { return max(1, min(together, scratch/c.Dim)) }

func (c Codec[T]) format() kernels.Format {
	if c.Code == Uint8 {
		return kernels.Uint8
	}
	return kernels.Int8
}

// params are those of vectors with these scales and offsets.
func (c Codec[T]) params(scale, offset []float32) kernels.IntParams {
	p := kernels.IntParams{Format: c.format(), Scale: scale}
	p.Min, p.Max = c.limits()
	if c.Code != Int8 {
		p.Minval = offset
	}
	return p
}

func (c Codec[T]) limits() (least, greatest int) {
	switch c.Code {
	case Int8:
		return -127, 127
	case Int8Asymmetric:
		return -128, 127
	}
	return 0, 255
}

// vectors checks the fields, and returns how many vectors so many elements are.
func (c Codec[T]) vectors(name string, elements int) (int, error) {
	switch {
	case c.Dim < 1 || c.Dim > math.MaxInt-HeaderBytes:
		return 0, fmt.Errorf("record: Dim=%d, want 1 at least", c.Dim)
	case c.Stride != 0 && c.Stride < HeaderBytes+c.Dim:
		return 0, fmt.Errorf("record: Stride=%d, want %d at least, or 0", c.Stride, HeaderBytes+c.Dim)
	case c.Code >= codes:
		return 0, fmt.Errorf("record: Code=%d, want Int8, Int8Asymmetric or Uint8", c.Code)
	case elements%c.Dim != 0:
		return 0, fmt.Errorf("record: len(%s)=%d, want a multiple of Dim=%d", name, elements, c.Dim)
	}
	return elements / c.Dim, nil
}

// check holds a number of bytes against n records.
func (c Codec[T]) check(name string, bytes, n int) error {
	if n > 0 && (bytes < HeaderBytes+c.Dim || (bytes-HeaderBytes-c.Dim)/c.stride() < n-1) {
		return fmt.Errorf("record: len(%s)=%d, want room for %d records of %d bytes, %d bytes apart", name, bytes, n, HeaderBytes+c.Dim, c.stride())
	}
	return nil
}

// finite returns how many vectors there are before one whose parameters are no finite numbers.
func finite(scale, offset []float32) int {
	for i := range scale {
		if scale[i]-scale[i] != 0 || offset[i]-offset[i] != 0 {
			return i
		}
	}
	return len(scale)
}
