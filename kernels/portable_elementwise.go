package kernels

import "github.com/lowbit-go/lowbit/fp4"

func portableBackward[T Float](dx, dy []T, mask Mask) {
	var buf piece
	for at := 0; at < len(dy); at += pieceLen {
		end := min(at+pieceLen, len(dy))
		in, out := widen(&buf.x, dy[at:end]), room(&buf.y, dx[at:end])
		for i, v := range in {
			out[i] = v * mask.at(at+i)
		}
		round(dx[at:end], out)
	}
}

func portableMinMax[T Float](lows, highs []T, src []T, g Grid) {
	var buf piece
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x := widen(&buf.x, src[at:end])
		for i := 0; i < len(x); {
			group, next := g.group(at + i)
			lo, hi := x[i], x[i]
			if at+i > group*g.Len {
				lo, hi = value(lows[group]), value(highs[group])
			}
			for stop := min(next-at, len(x)); i < stop; i++ {
				lo, hi = min(lo, x[i]), max(hi, x[i])
			}
			if lo == 0 {
				lo = 0 // not -0
			}
			if hi == 0 {
				hi = 0
			}
			lows[group], highs[group] = rounded[T](lo), rounded[T](hi)
		}
	}
}

func portablePack(dst, src []byte, f Format) {
	bits := f.Bits()
	if bits == 6 {
		packSixes(dst, src)
		return
	}
	toByte := 8 / bits
	for i := range dst {
		var b byte
		for k, q := range src[i*toByte : min((i+1)*toByte, len(src))] {
			b |= q & (1<<bits - 1) << (k * bits)
		}
		dst[i] = b
	}
}

func portableUnpack(dst, src []byte, f Format) {
	bits := f.Bits()
	if bits == 6 {
		unpackSixes(dst, src, f.isSigned())
		return
	}
	for i := range dst {
		at := uint(i * bits)
		// To the top and down again: a signed number repeats its sign.
		top := src[at/8] << (8 - bits - int(at%8))
		if f.isSigned() {
			dst[i] = byte(int8(top) >> (8 - bits))
		} else {
			dst[i] = top >> (8 - bits)
		}
	}
}

func portableConvert[D, S any](dst []D, src []S, one func(S) D) {
	for i, v := range src {
		dst[i] = one(v)
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
