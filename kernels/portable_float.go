package kernels

func portableFakeQuantizeFloat[T Float](dst []T, mask Mask, src []T, g Grid, p *FloatParams) {
	var buf piece
	m := p.method()
	hi := m.format.largest
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, y, inside := widen(&buf.x, src[at:end]), room(&buf.y, dst[at:end]), buf.inside[:end-at]
		for i := 0; i < len(x); {
			group, next := g.group(at + i)
			factor, s := factorAt[T](p, &m, group), m.valueScale(p.Scale[group])
			for stop := min(next-at, len(x)); i < stop; i++ {
				r := quotientBy[T](&m, x[i], factor)
				inside[i] = bit(-hi <= r && r <= hi)
				if r == r { // not every format has a NaN
					r = m.format.value(m.code(clamp(r, -hi, hi)))
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
	m := p.method()
	hi := m.format.largest
	for at := 0; at < len(src); at += pieceLen {
		end := min(at+pieceLen, len(src))
		x, q := widen(&buf.x, src[at:end]), buf.inside[:end-at]
		for i := 0; i < len(x); {
			group, next := g.group(at + i)
			factor := factorAt[T](p, &m, group)
			for stop := min(next-at, len(x)); i < stop; i++ {
				v := quotientBy[T](&m, x[i], factor)
				if v != v && m.dialect == TorchAO && m.format.bits == 4 && x[i] == 0 && factor == factor {
					q[i] = zeroTimesInf
					continue
				}
				q[i] = m.code(oneNaN(clamp(v, -hi, hi)))
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
	m := p.method()
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
			s := m.valueScale(p.Scale[group])
			for stop := min(next-at, len(y)); i < stop; i++ {
				y[i] = m.format.value(q[i]) * s
			}
		}
		round(dst[at:end], y)
	}
}
