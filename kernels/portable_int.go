package kernels

import "unsafe"

func portableFakeQuantizeInt[T Float](dst []T, mask Mask, src []T, g Grid, p *IntParams) {
	var buf piece
	lo, hi := float32(p.Min), float32(p.Max)
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, y := widen(buf.x[:], src[at:end]), room(&buf.y, dst[at:end])
		for r := g.run(at, len(x)); r.from < r.to; r = g.after(r, len(x)) {
			integers[T](y[r.from:r.to], x[r.from:r.to], p, r.group)
		}
		mask.put(at, y, lo, hi)
		p.Dialect.finish(y)
		for r := g.run(at, len(y)); r.from < r.to; r = g.after(r, len(y)) {
			s, qo, fo := p.group(r.group)
			dequantize(y[r.from:r.to], lo, hi, s, qo, fo)
		}
		round(dst[at:end], y)
	}
}

func portableQuantizeInt[T Float](dst []byte, src []T, g Grid, p *IntParams, f Format) {
	var buf piece
	lo, hi := float32(p.Min), float32(p.Max)
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, y, q := widen(buf.x[:], src[at:end]), buf.y[:end-at], dst[f.Bytes(at):][:f.Bytes(end-at)]
		for r := g.run(at, len(x)); r.from < r.to; r = g.after(r, len(x)) {
			integers[T](y[r.from:r.to], x[r.from:r.to], p, r.group)
		}
		p.Dialect.finish(y)
		switch f.Bits() {
		case 16:
			for i, v := range y {
				c := codeOf(v, lo, hi)
				q[2*i], q[2*i+1] = byte(c), byte(c>>8)
			}
		case 8:
			codesOf(q, y, lo, hi)
		default:
			codesOf(buf.codes[:], y, lo, hi)
			portablePack(q, buf.codes[:len(y)], f)
		}
	}
}

// portableDequantizeInt is for codes of two bytes in elements of two, or for any in bytes.
func portableDequantizeInt[T Float, C IntCode](dst []T, src []C, g Grid, p *IntParams, f Format) {
	var buf piece
	d := &formats[f]
	for at := 0; at < len(dst); at += pieceLen {
		out := dst[at:min(at+pieceLen, len(dst))]
		y, wide := room(&buf.y, out), f.Bits() == 16
		var q []byte
		if wide {
			wideCodes(y, src, at, f)
		} else {
			q = f.codes(&buf.codes, bytesOf(src), at, len(y))
		}
		for r := g.run(at, len(y)); r.from < r.to; r = g.after(r, len(y)) {
			s, qo, fo := p.group(r.group)
			if y := y[r.from:r.to]; wide {
				dequantize(y, float32(d.least), float32(d.most), s, qo, fo)
			} else {
				dequantizeBytes(y, q[r.from:r.to], d.values, s, qo, fo)
			}
		}
		round(out, y)
	}
}

// dequantize replaces codes of a group, which are clamped, by their values.
func dequantize(y []float32, lo, hi, s, qo, fo float32) {
	for i, q := range y {
		y[i] = oneNaN(float32((within(q, lo, hi)-qo)*s) + fo)
	}
}

// dequantizeBytes is dequantize for codes of which a table has the numbers.
func dequantizeBytes(y []float32, q []byte, numbers *[256]float32, s, qo, fo float32) {
	y = y[:len(q)]
	for i, q := range q {
		y[i] = oneNaN(float32((numbers[q]-qo)*s) + fo)
	}
}

// wideCodes sets y to codes of two bytes from element at on.
func wideCodes[C IntCode](y []float32, src []C, at int, f Format) {
	flip, typed := uint16(0), unsafe.Sizeof(*new(C)) == 2
	if f.isSigned() {
		flip = 1 << 15
	}
	for i := range y {
		var q uint16
		if k := at + i; typed {
			q = uint16(src[k])
		} else {
			q = uint16(src[2*k]) | uint16(src[2*k+1])<<8
		}
		y[i] = float32(int32(q^flip) - int32(flip))
	}
}

// integers sets r to what elements of a group become before they are clamped: integers, but
// with compressed-tensors, which rounds after that.
func integers[T Float](r, x []float32, p *IntParams, group int) {
	s, qo, fo := p.group(group)
	r = r[:len(x)]
	switch p.Dialect {
	case CompressedTensors:
		for i, x := range x {
			r[i] = x / s
		}
		through[T](r)
		for i := range r {
			r[i] += qo
		}
		through[T](r)
	case CompressedTensorsF32:
		for i, x := range x {
			r[i] = x/s + qo
		}
	case Torch:
		inverse := 1 / s
		for i, x := range x {
			r[i] = roundToEven(float32(x*inverse)) + qo
		}
	default:
		for i, x := range x {
			r[i] = roundToEven((x-fo)/s) + qo
		}
	}
}

// finish rounds to integers what integers did not.
func (d Dialect) finish(r []float32) {
	if d == CompressedTensors || d == CompressedTensorsF32 {
		for i, v := range r {
			r[i] = roundToEven(v)
		}
	}
}

// codesOf sets codes of a byte.
func codesOf(q []byte, r []float32, lo, hi float32) {
	q = q[:len(r)]
	for i, v := range r {
		q[i] = byte(codeOf(v, lo, hi))
	}
}

// codeOf is the code of an integer, 0 that of a NaN.
func codeOf(r, lo, hi float32) int32 {
	if !(lo <= r && r <= hi) {
		return clippedCode(r, lo, hi)
	}
	return int32(r)
}
