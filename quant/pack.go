package quant

import (
	"math"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
)

// lines says how codes are packed: in lines of length elements, each of whole bytes.
type lines struct {
	packed bool // false: a code is a byte, and the rest is of no account
	padded bool // a line's last byte has room left
	bits   int
	width  int // bytes of a code that is not packed
	fp4    bool
	floats bool           // of a format that files know packed: rows are not padded there
	format kernels.Format // of packed codes
	length int            // that of the last axis if they are padded; else all is one line
}

func newLines(d DType, shape []int, packed bool) lines {
	l := lines{packed: packed && d.Bits() < 8, bits: d.Bits(), width: max(1, d.Bits()/8), fp4: d == Float4E2M1FN, floats: d.IsFloat(), format: kernelFormat(d, true), length: math.MaxInt}
	if d == Float6E2M3FN || d == Float6E3M2FN {
		l.format = kernels.Uint6 // codes that are there already
	}
	row := 1
	if len(shape) > 0 {
		row = shape[len(shape)-1]
	}
	if l.packed && row*l.bits%8 != 0 {
		l.padded, l.length = true, row
	}
	return l
}

// check refuses what safetensors cannot say of float4 and float6: a part of a byte at the end of a row.
func (l lines) check(shape []int) error {
	if l.floats && l.padded && !l.fp4 {
		return shapeError("shape", shape, "a last axis that is a multiple of 4, as four float6 are packed in three bytes")
	}
	if l.fp4 && l.padded {
		return shapeError("shape", shape, "an even last axis, as float4 is packed in pairs")
	}
	return nil
}

// bytes returns the number of bytes of n elements of a line.
func (l lines) bytes(n int) int { return n/8*l.bits + (n%8*l.bits+7)/8 }

// total returns the number of bytes of a tensor of that size.
func (l lines) total(size int) int {
	switch {
	case !l.packed:
		return size * l.width
	case l.padded:
		return size / l.length * l.bytes(l.length)
	}
	return l.bytes(size)
}

// offset returns the byte at which an element is, the first in its byte.
func (l lines) offset(at int) int {
	if l.padded {
		return at/l.length*l.bytes(l.length) + l.bytes(at%l.length)
	}
	return l.bytes(at)
}

// perByte returns after how many elements one begins at a byte again.
func (l lines) perByte() int { return lcm(l.bits, 8) / l.bits }

// part returns how many of the elements [at, end) to pack at a time: of one line, and at most so many.
func (l lines) part(at, end, most int) int { return min(most, end-at, l.length-at%l.length) }

// pack packs elements of one line.
func (l lines) pack(dst, codes []byte) {
	dst = dst[:l.bytes(len(codes))]
	if !l.fp4 {
		kernels.Pack(dst, codes, l.format)
		return
	}
	for i := range dst {
		dst[i] = nibble[codes[2*i]] | nibble[codes[2*i+1]]<<4
	}
}

// unpack is the inverse of pack.
func (l lines) unpack(codes, src []byte) {
	src = src[:l.bytes(len(codes))]
	if !l.fp4 {
		kernels.Unpack(codes, src, l.format)
		return
	}
	for i, b := range src {
		codes[2*i], codes[2*i+1] = e4m3[b&15], e4m3[b>>4]
	}
}

// Codes of float4 as float8_e4m3fn, and back; nibble is 0 for a code that is none.
var e4m3, nibble = func() (e4m3 [16]byte, nibble [256]byte) {
	for i := range e4m3 {
		e4m3[i] = byte(fp8.E4M3FNFromFloat32(fp4.E2M1(i).Float32()))
		nibble[e4m3[i]] = byte(i)
	}
	return
}()
