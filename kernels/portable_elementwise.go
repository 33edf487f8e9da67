package kernels

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/fp4"
)

func portableBackward[T Float](dx, dy []T, mask Mask) {
	var buf piece
	for at := 0; at < len(dy); at += pieceLen {
		end := min(at+pieceLen, len(dy))
		in, out := widen(buf.x[:], dy[at:end]), room(&buf.y, dx[at:end])
		out, factors := out[:len(in)], mask.factors(&buf.codes, at)[:len(in)]
		for i, v := range in {
			out[i] = oneNaN(v * float32(factors[i]))
		}
		round(dx[at:end], out)
	}
}

func portableMinMax[T Float](lows, highs []T, src []T, g Grid) {
	var buf [pieceLen]float32
	for at := 0; at < len(src); at += pieceLen {
		x := widen(buf[:], src[at:min(at+pieceLen, len(src))])
		for r := g.run(at, len(x)); r.from < r.to; r = g.after(r, len(x)) {
			low, high := ordered(x[r.from]), ordered(x[r.from])
			if at+r.from > r.group*g.Len {
				low, high = ordered(value(lows[r.group])), ordered(value(highs[r.group]))
			}
			for _, v := range x[r.from:r.to] {
				k := ordered(v)
				low, high = min(low, k), max(high, k)
			}
			lo, hi := fromOrdered(low), fromOrdered(high)
			if lo != lo || hi != hi {
				lo, hi = nan32, nan32
			}
			lows[r.group], highs[r.group] = rounded[T](lo+0), rounded[T](hi+0) // not -0
		}
	}
}

// ordered returns an integer that is ordered as the number is. A NaN comes before or behind all numbers.
func ordered(x float32) int32 {
	b := int32(math.Float32bits(x))
	return b ^ b>>31&math.MaxInt32
}

// fromOrdered is the inverse.
func fromOrdered(k int32) float32 { return math.Float32frombits(uint32(k ^ k>>31&math.MaxInt32)) }

// portablePack makes packed codes of codes that have a byte each, eight at a time.
func portablePack(dst, src []byte, f Format) {
	bits := f.Bits()
	one, two, four := lanes(bits)
	for len(src) > 0 {
		w := eight(src)
		w = w&one | w>>8&one<<bits
		w = w&two | w>>16&two<<(2*bits)
		w = w&four | w>>32<<(4*bits)
		putEight(dst, w)
		dst, src = dst[min(bits, len(dst)):], src[min(8, len(src)):]
	}
}

// portableUnpack is the inverse; the sign of a signed code is repeated.
func portableUnpack(dst, src []byte, f Format) {
	bits := f.Bits()
	one, two, four := lanes(bits)
	sign, above := uint64(0), uint64(1<<(9-bits)-2)
	if f.isSigned() {
		sign = (one | one<<8) &^ ((one | one<<8) >> 1)
	}
	for len(dst) > 0 {
		w := eight(src)
		w = w&four | w>>(4*bits)&four<<32
		w = w&two | w>>(2*bits)&two<<16
		w = w&one | w>>bits&one<<8
		putEight(dst, w|w&sign*above)
		dst, src = dst[min(8, len(dst)):], src[min(bits, len(src)):]
	}
}

// lanes has the bits of a code in every second byte of a word, of two codes in every second two, and of four.
func lanes(bits int) (one, two, four uint64) {
	return (1<<bits - 1) * 0x0001000100010001, (1<<(2*bits) - 1) * 0x0000000100000001, 1<<(4*bits) - 1
}

// eight reads up to eight bytes, as if zeros followed.
func eight(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var buf [8]byte
	copy(buf[:], b)
	return binary.LittleEndian.Uint64(buf[:])
}

// putEight writes as many bytes of a word as there is room for.
func putEight(b []byte, w uint64) {
	if len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, w)
		return
	}
	for i := range b {
		b[i] = byte(w >> (8 * i))
	}
}

func portableConvert[D, S any](dst []D, src []S, one func(S) D) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = one(v)
	}
}

// decodeFloat16s is portableConvert by float16.Float16.Float32, encodeFloat16s by float16.Fromfloat32.
func decodeFloat16s(dst []float32, src []float16.Float16) {
	dst = dst[:len(src)]
	for i, h := range src {
		if m := uint32(h) &^ (1 << 15); m-1<<10 < 30<<10 { // a normal number
			dst[i] = math.Float32frombits(uint32(h)&(1<<15)<<16 | m<<13 + (127-15)<<23)
		} else {
			dst[i] = h.Float32()
		}
	}
}

func encodeFloat16s(dst []float16.Float16, src []float32) {
	dst = dst[:len(src)]
	for i, v := range src {
		b := math.Float32bits(v)
		m := b &^ (1 << 31)
		switch {
		case m < (127-14)<<23: // the last place of the sum is that of a subnormal number
			m = math.Float32bits(math.Float32frombits(m)+0.5) - math.Float32bits(0.5)
		case m < (127+16)<<23:
			m = (m+0xfff+m>>13&1)>>13 - (127-15)<<10
		default:
			m = uint32(float16.Fromfloat32(v))
		}
		dst[i] = float16.Float16(b>>31<<15 | m)
	}
}

func portableEncodePairs(dst []fp4.Pair, src []float32) {
	for i := range dst {
		high := float32(0)
		if 2*i+1 < len(src) {
			high = src[2*i+1]
		}
		dst[i] = fp4.PairFromFloat32(src[2*i], high)
	}
}

func portableDecodePairs(dst []float32, src []fp4.Pair) {
	for i := range dst {
		low, high := src[i/2].Float32()
		if i%2 == 0 {
			dst[i] = low
		} else {
			dst[i] = high
		}
	}
}
