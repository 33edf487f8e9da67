package quant

import (
	"iter"
	"slices"

	"github.com/lowbit-go/lowbit/kernels"
)

// search moves the parameters with the ranges that a search finds. Groups are shared out among workers.
func (p *pass[T]) search(m *mse) {
	shares := p.workers
	if !shareable(p.observer.calculator) {
		shares = 1
	}
	signed := hasSigned(p.importance.values)
	if m.format.scale == ScaleE4M3FN {
		p.observe()
		p.observer.update(0, p.workspaces[0].allLow, p.workspaces[0].allHigh)
		shares = p.workers
	}
	for _, ws := range p.workspaces[:shares] {
		ws.searcher.mse, ws.searcher.signed, ws.searcher.params.Global = m, signed, p.params.Global
		ws.wide = grow(ws.wide, chunk)
	}
	size := p.size
	p.unit = 1
	if t := p.tiling; t.contiguous() && t.count < shares && t.grid.Len >= chunk*shares {
		for g := range t.count {
			p.searchLong(g, shares)
		}
	} else {
		p.size = t.count // what is shared out
		p.split(searching, shares)
	}
	p.size = size
}

// hasSigned tells whether a weight is not positive or zero.
func hasSigned(importance []float32) bool {
	return slices.ContainsFunc(importance, func(w float32) bool { return !(w >= 0) })
}

// searchLong searches for a long group, of which the chunks are shared out.
func (p *pass[T]) searchLong(g, shares int) {
	length := p.tiling.grid.Len
	p.long, p.size = g*length, (length+chunk-1)/chunk
	p.longErrors = grow(p.longErrors, p.size*block)
	ws := p.workspaces[0]
	low, high := p.minMax(ws, span{at: p.long, grid: kernels.Grid{Rows: 1, Groups: 1, Len: length}})
	r := Range{low[0], high[0]}
	if r.Min == 0 || r.Max == 0 { // MinMax knows one zero
		for part := range p.weighted(ws, g) {
			r = Range{min(r.Min, slices.Min(part.x)), max(r.Max, slices.Max(part.x))}
		}
	}
	r = ws.searcher.best(r, p.importance.values != nil, func(total []float64, _ func() bool) {
		p.longParams = &ws.searcher.params
		p.split(searchingLong, shares)
		for i := range p.size {
			for j := range total {
				total[j] += float64(p.longErrors[i*block+j])
			}
		}
	})
	low, high = ws.low[:1], ws.high[:1]
	low[0], high[0] = r.Min, r.Max
	p.observer.update(g, low, high)
}

// searchChunks computes the errors of the chunks [lo, hi) of a long group.
func (p *pass[T]) searchChunks(ws *workspace[T], lo, hi int) {
	end := p.long + p.tiling.grid.Len
	for ; lo < hi; lo++ {
		at := p.long + lo*chunk
		n := min(chunk, end-at)
		errs := p.longErrors[lo*block:][:len(p.longParams.Scale)]
		ws.searcher.error(p.longParams, errs, widened(ws.wide[:n], p.x[at:][:n]), ws.searcher.weightsOf(&p.importance, p.tiling.first+at, n))
	}
}

// searchGroups searches for the groups [lo, hi): short ones side by side, and longer ones if they are that many.
func (p *pass[T]) searchGroups(ws *workspace[T], lo, hi int) {
	t := p.tiling
	length := 0 // of all groups, if it is one
	if t.edge == nil {
		length = t.size / t.count
	}
	for lo < hi {
		n := min(together, hi-lo)
		switch {
		case p.format.scale == ScaleE4M3FN:
			if length == 0 {
				n = 1
			}
			x, weights, _, _ := p.collect(ws, lo, n)
			ws.searcher.searchScales(p.observer.params.Scale[lo:][:n], x, weights)
		case ws.searcher.alike() && 0 < length && (length <= short || t.contiguous() && length <= chunk && n == together):
			if length <= short {
				n = min(observed, hi-lo)
			}
			x, weights, low, high := p.collect(ws, lo, n)
			ws.searcher.searchBatch(x, weights, low, high)
			p.observer.update(lo, low, high)
		default:
			n = 1
			ws.low, ws.high = grow(ws.low, 1), grow(ws.high, 1)
			r := ws.searcher.rangeOf(p.weighted(ws, lo))
			ws.low[0], ws.high[0] = r.Min, r.Max
			p.observer.update(lo, ws.low, ws.high)
		}
		lo += n
	}
}

// collect returns the elements of n groups of one length from the g-th on, one group after the other, their weights or none, and their ranges.
func (p *pass[T]) collect(ws *workspace[T], g, n int) (x, weights, low, high []float32) {
	t, s := p.tiling, &ws.searcher
	if t.contiguous() {
		at, length := g*t.grid.Len, n*t.grid.Len
		if elementOf[T]() != elementF32 {
			s.wide = grow(s.wide, length)
		}
		low, high = p.minMax(ws, span{at: at, grid: kernels.Grid{Rows: 1, Groups: n, Len: t.grid.Len}})
		return widened(s.wide, p.x[at:][:length]), s.weightsOf(&p.importance, t.first+at, length), low, high
	}
	ws.low, ws.high = grow(ws.low, n), grow(ws.high, n)
	s.wide = s.wide[:0]
	for i := range n {
		for part := range p.weighted(ws, g+i) {
			s.wide, weights = append(s.wide, part.x...), append(weights, part.weights...)
			ws.low[i], ws.high[i] = slices.Min(part.x), slices.Max(part.x)
		}
	}
	return s.wide, weights, ws.low, ws.high
}

// weighted yields the elements of a group in chunks, with their weights. Inlined, its loops would stand in each of its callers, for no time
// that shows.
//
//go:noinline
func (p *pass[T]) weighted(ws *workspace[T], g int) iter.Seq[weighted] {
	return func(yield func(weighted) bool) {
		held := 0
		var weights []float32
		for at, length := range p.tiling.runs(g) {
			for x := p.x[at:][:length]; len(x) > 0; {
				n := min(len(x), chunk-held)
				widen(ws.wide[held:], x[:n])
				if p.importance.values != nil {
					weights = append(weights[:held], ws.searcher.weightsOf(&p.importance, p.tiling.first+at, n)...)
				}
				x, at, held = x[n:], at+n, held+n
				if held == chunk {
					if !yield(weighted{ws.wide, weights}) {
						return
					}
					held = 0
				}
			}
		}
		if held > 0 {
			yield(weighted{ws.wide[:held], weights})
		}
	}
}

// weightsOf returns the weights of n elements from element at of the tensor on, none if there are none.
func (s *searcher) weightsOf(importance *columnWeights, at, n int) []float32 {
	if importance.values == nil {
		return nil
	}
	s.weights = grow(s.weights, n)
	importance.write(s.weights, at)
	return s.weights
}
