package gguf

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/lowbit-go/lowbit/kernels"
)

// ranges has the least and the greatest element of each group of a piece. Both are NaN if there is a NaN; a zero is +0.
type ranges struct {
	low, high [pieceLen / 16]float32
}

// quantizePortable quantizes to a type whose scales need no search.
func (r *ranges) quantizePortable(dst []byte, x []float32, t Type) {
	switch t {
	case Q8_0:
		r.quantizeQ8_0(dst, x)
	case Q4_0, Q5_0:
		r.quantizeSigned(dst, x, t)
	case Q4_1, Q5_1:
		r.quantizeRanged(dst, x, t)
	case MXFP4:
		r.quantizeMXFP4(dst, x)
	case NVFP4:
		r.quantizeNVFP4(dst, x)
	}
}

func (r *ranges) find(x []float32, group int) {
	n := len(x) / group
	kernels.MinMax(r.low[:n], r.high[:n], x, kernels.Grid{Rows: 1, Groups: n, Len: group})
}

// finite tells whether a number is no NaN and no infinity.
func finite(x float32) bool { return abs32(x) <= math.MaxFloat32 }

func (r *ranges) quantizeQ8_0(dst []byte, x []float32) {
	r.find(x, 32)
	for i := range len(x) / 32 {
		b, v := (*[34]byte)(dst[34*i:]), (*[32]float32)(x[32*i:])
		most := max(r.high[i], -r.low[i])
		d := most / 127
		id := inverse(d)
		if !finite(most) || !finite(2*id) {
			quantizeQ8_0Rare(b, v)
			continue
		}
		putHalf(b[:], toHalf(d))
		q, twice := (*[32]byte)(b[2:]), 2*id
		for k, v := range v {
			// Half away from zero: half of twice the quotient, cut toward zero, is rounded up where that is not negative, else down.
			t := int32(float32(v * twice))
			q[k] = byte((t + 1 + t>>31) >> 1)
		}
	}
}

// quantizeQ8_0Rare does a block with a NaN, an infinity or an infinite 1/d.
func quantizeQ8_0Rare(b *[34]byte, x *[32]float32) {
	most := float32(0)
	for _, v := range x {
		// A NaN is taken, and given up for the next number.
		if v := abs32(v); !(most > v) {
			most = v
		}
	}
	d := most / 127
	id := inverse(d)
	putHalf(b[:], toHalf(d))
	for k, v := range x {
		b[2+k] = byte(truncated(float32(math.Round(float64(v * id)))))
	}
}

// quantizeSigned is Q4_0 and Q5_0.
func (r *ranges) quantizeSigned(dst []byte, x []float32, t Type) {
	half, size := float32(8), 18
	if t == Q5_0 {
		half, size = 16, 22
	}
	r.find(x, 32)
	var codes [32]byte
	for i := range len(x) / 32 {
		v := (*[32]float32)(x[32*i:])
		low, high := r.low[i], r.high[i]
		most := high
		if -low >= high {
			most = low
			if -low == high {
				most = firstLargest(v[:])
			}
		}
		usual := finite(low) && finite(high)
		if !usual {
			most = firstLargest(v[:])
		}
		d := most / -half
		id := inverse(d)
		b := dst[size*i:][:size]
		putHalf(b, toHalf(d))
		if !usual || !finite(id) {
			for k, v := range v {
				codes[k] = byte(min(int8(truncated(float32(v*id)+(half+0.5))), int8(2*half)-1))
			}
			if t == Q4_0 {
				pack4((*[16]byte)(b[2:]), &codes)
			} else {
				pack5((*[20]byte)(b[2:]), &codes)
			}
			continue
		}
		if t == Q4_0 {
			q := (*[16]byte)(b[2:])
			for k := range q {
				low, high := min(int32(float32(v[k]*id)+8.5), 15), min(int32(float32(v[k+16]*id)+8.5), 15)
				q[k] = byte(low | high<<4)
			}
			continue
		}
		q, fifths := (*[16]byte)(b[6:]), uint32(0)
		for k := range q {
			low, high := min(int32(float32(v[k]*id)+16.5), 31), min(int32(float32(v[k+16]*id)+16.5), 31)
			q[k] = byte(low&15 | high<<4)
			fifths = fifths>>1 | uint32(low&16)<<11 | uint32(high&16)<<27
		}
		binary.LittleEndian.PutUint32(b[2:], fifths)
	}
}

// firstLargest is the element of largest magnitude, the first of several, +0 if all are zero. NaN is passed over.
func firstLargest(x []float32) float32 {
	most, signed := float32(0), float32(0)
	for _, v := range x {
		if a := abs32(v); a > most {
			most, signed = a, v
		}
	}
	return signed
}

// quantizeRanged is Q4_1 and Q5_1.
func (r *ranges) quantizeRanged(dst []byte, x []float32, t Type) {
	levels, size := float32(15), 20
	if t == Q5_1 {
		levels, size = 31, 24
	}
	r.find(x, 32)
	var codes [32]byte
	for i := range len(x) / 32 {
		v := (*[32]float32)(x[32*i:])
		low, high := r.low[i], r.high[i]
		usual := finite(low) && finite(high)
		if !usual {
			low, high = math.MaxFloat32, -math.MaxFloat32
			for _, v := range v {
				if v < low {
					low = v
				}
				if v > high {
					high = v
				}
			}
		} else if low == 0 {
			low = firstZero(v[:])
		}
		d := (high - low) / levels
		id := inverse(d)
		b := dst[size*i:][:size]
		putHalf(b, toHalf(d))
		putHalf(b[2:], toHalf(low))
		if !usual || !finite(d) || !finite(id) {
			for k, v := range v {
				codes[k] = byte(truncated(float32((v-low)*id) + 0.5))
			}
			if t == Q4_1 {
				for k, c := range codes {
					codes[k] = byte(min(int8(c), 15))
				}
				pack4((*[16]byte)(b[4:]), &codes)
			} else {
				pack5((*[20]byte)(b[4:]), &codes)
			}
			continue
		}
		if t == Q4_1 {
			q := (*[16]byte)(b[4:])
			for k := range q {
				c0, c1 := min(int32(float32((v[k]-low)*id)+0.5), 15), min(int32(float32((v[k+16]-low)*id)+0.5), 15)
				q[k] = byte(c0 | c1<<4)
			}
			continue
		}
		q, fifths := (*[16]byte)(b[8:]), uint32(0)
		for k := range q {
			// 31.5 is not reached.
			c0, c1 := int32(float32((v[k]-low)*id)+0.5), int32(float32((v[k+16]-low)*id)+0.5)
			q[k] = byte(c0&15 | c1<<4)
			fifths = fifths>>1 | uint32(c0&16)<<11 | uint32(c1&16)<<27
		}
		binary.LittleEndian.PutUint32(b[4:], fifths)
	}
}

// firstZero is the first of the elements that are zero, with its sign.
func firstZero(x []float32) float32 {
	for _, v := range x {
		if v == 0 {
			return v
		}
	}
	return 0
}

// fp4Codes has the code of e2m1 for twice the quotient of an element and its scale, cut to an integer m, at m & 63: the nearest, ties toward
// zero. Code 8, -0, is not among them.
var fp4Codes = func() (t [64]byte) {
	for m := range 32 {
		code := byte(0)
		for _, threshold := range []int{1, 3, 5, 7, 10, 14, 20} {
			if m >= threshold {
				code++
			}
		}
		t[m] = code
		if m > 0 {
			t[64-m] = code | min(code, 1)<<3
		}
	}
	return t
}()

// fp4Nearest finds the first code whose value is nearest, for elements and scales of any size.
func fp4Nearest(x, scale float32) (code byte) {
	least := abs32(0*scale - x)
	for k := 1; k < 16; k++ {
		if e := abs32(float32(float32(int8(fp4Values[k]))*scale) - x); e < least {
			code, least = byte(k), e
		}
	}
	return code
}

func (r *ranges) quantizeMXFP4(dst []byte, x []float32) {
	r.find(x, 32)
	for i := range len(x) / 32 {
		b, v := (*[17]byte)(dst[17*i:]), (*[32]float32)(x[32*i:])
		most := max(r.high[i], -r.low[i])
		if most == 0 {
			clear(b[:])
			continue
		}
		if most < 0x1p-122 || !finite(most) {
			quantizeMXFP4Rare(b, v)
			continue
		}
		e := int(math.Float32bits(most)+log2Excess(most))>>23 - 2
		b[0] = byte(e)
		// The number below 2/2^(e-128): a quotient that is just a threshold must come out below it.
		factor := math.Float32frombits(uint32(256-e)<<23 - 1)
		q := (*[16]byte)(b[1:])
		for k := range q {
			low, high := fp4Codes[int32(float32(v[k]*factor))&63], fp4Codes[int32(float32(v[k+16]*factor))&63]
			q[k] = low | high<<4
		}
	}
}

// log2Excess is how many units in the last place below the next power of two a number is when its logarithm to base 2, rounded to float32, is
// the integer above: the more, the larger the exponent.
func log2Excess(x float32) uint32 {
	exponent := int32(math.Float32bits(x)>>23) - 127
	return log2Excesses[bits.Len8(uint8(exponent^exponent>>31))]
}

// By the number of bits of the exponent's magnitude, of a negative one less 1.
var log2Excesses = [8]uint32{0, 0, 1, 2, 5, 11, 22, 44}

// quantizeMXFP4Rare does a block with a NaN, an infinity or a scale below the smallest normal number or out of range.
func quantizeMXFP4Rare(b *[17]byte, x *[32]float32) {
	most := abs32(firstLargest(x[:]))
	e := byte(0)
	if most > 0 {
		e = byte(truncated(float32(math.Floor(float64(float32(math.Log2(float64(most))))) - 2 + 127)))
	}
	scale := powerOfTwo(e)
	b[0] = e
	for k := range 16 {
		b[1+k] = fp4Nearest(x[k], scale) | fp4Nearest(x[k+16], scale)<<4
	}
}

// nvfp4Factors has for each scale of NVFP4 a number a little below 2/s, s being half of what the scale stands for, such that quotients that are
// just thresholds come out below them, and the next element above does not.
var nvfp4Factors = func() (t [128]float32) {
	eights := [8]float32{ // a little below 8/8, 8/9, ... 8/15
		0x1.fffffep-1, 0x1.c71c70p-1, 0x1.999998p-1, 0x1.745d16p-1, 0x1.555554p-1, 0x1.3b13b0p-1, 0x1.249248p-1, 0x1.111110p-1,
	}
	for u := range t {
		if s := ue4m3Halves[u]; s > 0 {
			b := math.Float32bits(s)
			t[u] = math.Float32frombits(math.Float32bits(eights[b>>20&7]) + 128<<23 - b&(0xff<<23))
		}
	}
	return t
}()

// toUE4M3 rounds to e4m3 without a sign as ggml does: subnormals and the rest half up, and from 256 on to 448.
func toUE4M3(x float32) byte {
	if !(x > 0) {
		return 0
	}
	x = min(x, 448)
	b := math.Float32bits(x)
	if b < 121<<23 {
		return byte(min(int32(float32(x*512)+0.5), 7))
	}
	u := (b+1<<19)>>20 - 120<<3
	if u >= 0x78 {
		return 0x7e
	}
	return byte(u)
}

func (r *ranges) quantizeNVFP4(dst []byte, x []float32) {
	r.find(x, 16)
	for i := range len(x) / 16 {
		b, v := (*[36]byte)(dst[i/4*36:]), (*[16]float32)(x[16*i:])
		q := (*[8]byte)(b[4+i%4*8:])
		most := max(r.high[i], -r.low[i])
		t := most / 6
		if !(t < 550) {
			// A NaN, an infinity, or elements so large that the errors of several codes round to the same.
			most = abs32(firstLargest(v[:]))
			u := toUE4M3(most / 6)
			b[i%4] = u
			for k := range q {
				q[k] = fp4Nearest(v[k], ue4m3Halves[u]) | fp4Nearest(v[k+8], ue4m3Halves[u])<<4
			}
			continue
		}
		u := toUE4M3(t)
		b[i%4] = u
		factor := nvfp4Factors[u&127]
		for k := range q {
			low, high := max(min(int32(float32(v[k]*factor)), 31), -31), max(min(int32(float32(v[k+8]*factor)), 31), -31)
			q[k] = fp4Codes[low&63] | fp4Codes[high&63]<<4
		}
	}
}
