package kernels

// Columns is the number of groups that LeastInt and LeastFloat take side by side, in
// rows of which there are a multiple of RowsAtOnce.
const (
	Columns    = 16
	RowsAtOnce = 4
)

// Best has the candidate of least error for each of Columns groups. The zero value
// has seen none.
type Best struct {
	Error     [Columns]float32 // the least
	Candidate [Columns]int32   // its number, of equal ones the first
	next      [Columns]int32   // the next candidate's number
	check     [Columns]float32 // NaN behind an error that was computed as one
}

// take is the next candidate of a group.
func (b *Best) take(g int, e float32) {
	if b.next[g] == 0 || e < b.Error[g] {
		b.Error[g], b.Candidate[g] = e, b.next[g]
	}
	b.next[g]++
}

// LeastInt looks among candidates for those of the least error, which is
// ErrorInt's, for Columns groups that lie side by side: src has rows of Columns
// elements, one of each group, at most 4096 of them and a multiple of RowsAtOnce, and
// weights likewise. Zeros behind groups add nothing. So has each of the parameters:
// candidate c of group g has the number Columns*c+g.
//
// best has what was found in the calls before, which a candidate of less error
// takes the place of. Candidates are numbered on from call to call. The first of all
// is taken whatever its error is, so that it stays if that is NaN. Parameters with a
// minval, of which zeros add something, are refused.
func LeastInt(best *Best, src, weights []float32, p *IntParams, n Norm) {
	const kernel = "LeastInt"
	checkLeast(kernel, src, weights, len(p.Scale), n)
	p.check(kernel, len(p.Scale))
	if p.Minval != nil {
		fail(kernel, "Minval is given, want zero points or none")
	}
	leastInt(current(), best, src, weights, p, n)
}

func leastInt(impl isa, best *Best, src, weights []float32, p *IntParams, n Norm) {
	f := fakeQuantizer{ints: p}
	switch {
	case impl == generic || len(src) == 0 || len(p.Scale) == 0 || p.Dialect != Reference:
		portableLeast(best, src, weights, len(p.Scale), f, n)
	case n == Norm2 || len(weights) > 0 || len(src) <= sumChunk:
		leastIntAsm(impl, best, src, weights, p, n)
	default:
		best.byRows(impl, src, weights, len(p.Scale), f, n)
	}
}

// LeastFloat is LeastInt for a small float format, as ErrorFloat is ErrorInt.
func LeastFloat(best *Best, src, weights []float32, p *FloatParams, n Norm) {
	const kernel = "LeastFloat"
	checkLeast(kernel, src, weights, len(p.Scale), n)
	p.check(kernel, len(p.Scale))
	leastFloat(current(), best, src, weights, p, n)
}

func leastFloat(impl isa, best *Best, src, weights []float32, p *FloatParams, n Norm) {
	e4m3 := p.Dialect != Reference && p.scalesOfE4M3FN()
	product := e4m3 && p.method().multiplies()
	f := fakeQuantizer{floats: p}
	switch {
	case impl == generic || len(src) == 0 || len(p.Scale) == 0 || !e4m3 && p.Dialect != Reference && !p.dividesByScales():
		portableLeast(best, src, weights, len(p.Scale), f, n)
	case n == Norm2 || product && (len(weights) > 0 || len(src) <= sumChunk):
		leastFloatAsm(impl, best, src, weights, p, n, e4m3, product)
	default:
		best.byRows(impl, src, weights, len(p.Scale), f, n)
	}
}

func checkLeast(kernel string, src, weights []float32, candidates int, n Norm) {
	switch {
	case len(src)%(Columns*RowsAtOnce) != 0:
		fail(kernel, "len(src)=%d, want a multiple of %d", len(src), Columns*RowsAtOnce)
	case candidates%Columns != 0:
		fail(kernel, "len(Scale)=%d, want a multiple of %d", candidates, Columns)
	}
	checkError(kernel, nil, src, weights, Columns, n)
}

// portableLeast is for any number of parameters.
func portableLeast(b *Best, src, weights []float32, candidates int, f fakeQuantizer, n Norm) {
	for g := range Columns {
		b.column(g, src, weights, candidates, f, n)
	}
}

// column takes the candidates of one group.
func (b *Best) column(g int, src, weights []float32, candidates int, f fakeQuantizer, n Norm) {
	var bufX, bufW [sumChunk]float32
	x, w := column(bufX[:], src, g), column(bufW[:], weights, g)
	for i := g; i < candidates; i += Columns {
		b.take(g, f.error(x, w, i, n))
	}
}

// column returns a column of x, as far as there is room.
func column[E any](buf, x []E, g int) []E {
	n := min(len(buf), len(x)/Columns)
	for i := range n {
		buf[i] = x[i*Columns+g]
	}
	return buf[:n]
}

// byRows takes candidates by the kernels of errors, for which a group's elements lie one after the other, and so many of its candidates at a time.
func (b *Best) byRows(impl isa, src, weights []float32, candidates int, f fakeQuantizer, n Norm) {
	const some = 32
	var bufX, bufW [sumChunk]float32
	var scale, factor, errs [some]float32
	var zeroPoint [some]int32
	for g := range Columns {
		x, w := column(bufX[:], src, g), column(bufW[:], weights, g)
		for at := 0; at < candidates; at += some * Columns {
			e := errs[:min(some, (candidates-at)/Columns)]
			if f.ints != nil {
				p := *f.ints
				p.Scale = column(scale[:], p.Scale[at:], g)
				if p.ZeroPoint != nil {
					p.ZeroPoint = column(zeroPoint[:], p.ZeroPoint[at:], g)
				}
				errorInt(impl, e, x, w, 1, &p, n)
			} else {
				p := *f.floats
				p.Scale = column(scale[:], p.Scale[at:], g)
				if p.Factor != nil {
					p.Factor = column(factor[:], p.Factor[at:], g)
				}
				errorFloat(impl, e, x, w, 1, &p, n)
			}
			for _, e := range e {
				b.take(g, e)
			}
		}
	}
}

// ToColumns puts groups side by side, as LeastInt takes them: dst has rows of Columns
// elements, one of each of the groups, and then rows of zeros up to a multiple of
// RowsAtOnce. src has groups of length elements, and groups the numbers of some of
// them. Where these are fewer than Columns, the last one stands for the rest too.
func ToColumns(dst, src []float32, length int, groups []int32) {
	const kernel = "ToColumns"
	if len(groups) < 1 || len(groups) > Columns {
		fail(kernel, "len(groups)=%d, want 1 to %d", len(groups), Columns)
	}
	if length < 0 {
		fail(kernel, "length=%d, want the number of a group's elements", length)
	}
	for _, g := range groups {
		if g < 0 || (int(g)+1)*length > len(src) {
			fail(kernel, "there is no group %d of %d elements, as len(src)=%d", g, length, len(src))
		}
	}
	checkLen(kernel, "dst", len(dst), (length+RowsAtOnce-1)/RowsAtOnce*RowsAtOnce*Columns)
	var from [Columns]int
	for i := range from {
		from[i] = int(groups[min(i, len(groups)-1)]) * length
	}
	toColumns(current(), dst, src, &from, length)
}

// toColumns is ToColumns of so many elements of each group, which begin at from.
func toColumns(impl isa, dst, src []float32, from *[Columns]int, length int) {
	const four = 4
	for g := 0; g < Columns; g += four {
		var x [four][]float32
		for i := range x {
			x[i] = src[from[g+i]:][:length]
		}
		at := 0
		if impl != generic && length >= four {
			at = length / four * four
			fourColumns(impl, dst[g:], &x)
		}
		for ; at < length; at++ {
			to := dst[at*Columns+g:]
			for i := range x {
				to[i] = x[i][at]
			}
		}
	}
	clear(dst[length*Columns:])
}

// begins returns where adjacent groups begin; where they are fewer than Columns, the last one does for the rest too.
func begins(groups, stride int) (from [Columns]int) {
	for i := range from {
		from[i] = min(i, groups-1) * stride
	}
	return from
}
