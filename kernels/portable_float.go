package kernels

func portableFakeQuantizeFloat[T Float](dst []T, mask Mask, src []T, g Grid, p *FloatParams) {
	var buf piece
	d := &formats[p.Format]
	hi := d.largest
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, y, inside := widen(&buf.x, src[at:end]), room(&buf.y, dst[at:end]), buf.inside[:end-at]
		for i := 0; i < len(x); {
			group, next := g.group(at + i)
			s := p.Scale[group]
			for stop := min(next-at, len(x)); i < stop; i++ {
				r := x[i] / s
				inside[i] = bit(-hi <= r && r <= hi)
				if r == r { // not every format has a NaN
					r = d.value(d.cast(clamp(r, -hi, hi)))
				}
				y[i] = oneNaN(r * s)
			}
		}
		round(dst[at:end], y)
		mask.put(at, inside)
	}
}

func portableQuantizeFloat[T Float](dst []byte, src []T, g Grid, p *FloatParams) {
	var buf piece
	d := &formats[p.Format]
	hi := d.largest
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, q := widen(&buf.x, src[at:end]), buf.inside[:end-at]
		for i := 0; i < len(x); {
			group, next := g.group(at + i)
			s := p.Scale[group]
			for stop := min(next-at, len(x)); i < stop; i++ {
				q[i] = d.cast(oneNaN(clamp(x[i]/s, -hi, hi)))
			}
		}
		if p.Format.isPacked() {
			portablePack(dst[p.Format.Bytes(at):][:p.Format.Bytes(len(q))], q, p.Format)
		} else {
			copy(dst[at:], q)
		}
	}
}

func portableDequantizeFloat[T Float](dst []T, src []byte, g Grid, p *FloatParams) {
	var buf piece
	d := &formats[p.Format]
	for at := 0; at < len(dst); at += pieceLen {
		end := min(at+pieceLen, len(dst))
		y, q := room(&buf.y, dst[at:end]), buf.inside[:end-at]
		if p.Format.isPacked() {
			portableUnpack(q, src[p.Format.Bytes(at):], p.Format)
		} else {
			copy(q, src[at:])
		}
		for i := 0; i < len(y); {
			group, next := g.group(at + i)
			s := p.Scale[group]
			for stop := min(next-at, len(y)); i < stop; i++ {
				y[i] = d.value(q[i]) * s
			}
		}
		round(dst[at:end], y)
	}
}
