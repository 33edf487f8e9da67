package quant

import (
	"math"

	"github.com/lowbit-go/lowbit/kernels"
)

// observer keeps the parameters of a tensor's groups, and moves them with the ranges that it is shown.
type observer struct {
	arithmetic // the tensor's, or that of float32 if both ends are fixed
	format     format
	round      func(float32) float32
	floatRange FloatRange
	ends       Range      // the fixed ones, rounded
	calculator Calculator // nil: each tensor by itself
	dynamic    bool
	observed   bool    // a tensor: parameters are there
	running    []Range // what the calculator has made of all passes
	params     Params
}

func (o *observer) fixed() bool { return o.floatRange.Fixed() }

// frozen tells whether no tensor can move the parameters any more.
func (o *observer) frozen() bool { return o.fixed() && o.observed }

// alone tells whether the parameters depend on the tensor alone, so that the kernels choose them.
func (o *observer) alone() bool { return o.calculator == nil && o.floatRange == FloatRange{} }

// resize makes room for the parameters of groups of that shape.
func (o *observer) resize(shape []int, count int) {
	o.params.resize(&o.format, shape, count)
	if o.calculator != nil {
		o.running = grow(o.running, count)
	}
}

// update moves the parameters of the groups from first on, of which this pass saw the ranges low to high; it uses these as scratch.
func (o *observer) update(first int, low, high []float32) {
	o.move(first, low, high)
	o.choose(&o.format, &o.params, first, low, high)
}

// move makes ranges that a pass saw those that parameters follow from.
func (o *observer) move(first int, low, high []float32) {
	o.clamp(low, high)
	if o.calculator != nil {
		running := o.running[first:][:len(low)]
		for i := range low {
			seen := Range{low[i], high[i]}
			if o.observed {
				next := o.calculator.Next(running[i], seen, o.round)
				seen = Range{min(o.round(next.Min), 0), max(o.round(next.Max), 0)}
			}
			if seen.Min != seen.Min || seen.Max != seen.Max { // which of the NaNs there are depends on the machine
				seen.Min, seen.Max = oneNaN(seen.Min), oneNaN(seen.Max)
			}
			running[i], low[i], high[i] = seen, seen.Min, seen.Max
		}
	}
}

// clamp puts the fixed ends in the place of ranges' own, and each end on its side of zero.
func (o *observer) clamp(low, high []float32) {
	if o.floatRange.hasMin {
		for i := range low {
			low[i] = o.ends.Min
		}
	}
	if o.floatRange.hasMax {
		for i := range high {
			high[i] = o.ends.Max
		}
	}
	for i := range low {
		low[i] = min(low[i], 0)
	}
	for i := range high {
		high[i] = max(high[i], 0)
	}
}

// observeNothing sets the parameters where both ends are fixed.
func (p *pass[T]) observeNothing() {
	ws := p.workspaces[0]
	most := chunk
	if p.format.gathers() {
		most = p.tiling.count
	}
	for g := 0; g < p.tiling.count; g += most {
		n := min(most, p.tiling.count-g)
		ws.low, ws.high = grow(ws.low, n), grow(ws.high, n)
		p.observer.update(g, ws.low, ws.high)
	}
}

// observe finds the ranges of all groups, in the first workspace.
func (p *pass[T]) observe() {
	t := p.tiling
	shares := p.workers
	lists := shares // of ranges
	switch share := p.size / p.workers; {
	case t.apart <= share:
		p.unit, lists = t.apart, 1 // shares without a common group
	case t.count <= share/8:
		p.unit = p.writingUnit()
	default: // to merge the lists would take as long as to observe
		p.unit, shares, lists = p.size, 1, 1
	}
	for _, ws := range p.workspaces[:lists] {
		ws.allLow, ws.allHigh = unbounded(ws.allLow, ws.allHigh, t.count)
	}
	p.apart = lists == 1
	p.split(observing, shares)
	all := p.workspaces[0]
	for _, ws := range p.workspaces[1:lists] {
		widest(all.allLow, all.allHigh, ws.allLow, ws.allHigh)
	}
}

// observeGlobal finds the scale of the whole tensor, after which its groups have nothing in common.
func (p *pass[T]) observeGlobal() {
	for _, ws := range p.workspaces[:p.workers] {
		ws.allLow, ws.allHigh = unbounded(ws.allLow, ws.allHigh, 1)
	}
	p.unit = 64
	p.split(observingAll, p.workers)
	all := p.workspaces[0]
	for _, ws := range p.workspaces[1:p.workers] {
		widest(all.allLow, all.allHigh, ws.allLow, ws.allHigh)
	}
	chooseGlobal[T](p.format, p.params, all.allLow, all.allHigh)
	p.ownFormat = *p.format
	p.ownFormat.known, p.format = true, &p.ownFormat
}

// observeAll widens the workspace's only range by that of the elements [lo, hi).
func (p *pass[T]) observeAll(ws *workspace[T], lo, hi int) {
	if lo < hi {
		low, high := p.minMax(ws, span{at: lo, grid: kernels.Grid{Rows: 1, Groups: 1, Len: hi - lo}})
		widest(ws.allLow, ws.allHigh, low, high)
	}
}

// unbounded returns so many ranges of nothing, in that memory if there is enough.
func unbounded(low, high []float32, count int) (_, _ []float32) {
	low, high = grow(low, count), grow(high, count)
	for i := range low {
		low[i], high[i] = float32(math.Inf(1)), float32(math.Inf(-1))
	}
	return low, high
}

// widest widens ranges by others.
func widest(low, high, otherLow, otherHigh []float32) {
	for i, x := range otherLow {
		low[i] = min(low[i], x)
	}
	for i, x := range otherHigh {
		high[i] = max(high[i], x)
	}
}

// observeShare finds the ranges of the groups within [lo, hi).
func (p *pass[T]) observeShare(k, lo, hi int) {
	ws, all := p.workspaces[k], p.workspaces[k]
	if p.apart {
		all = p.workspaces[0]
	}
	for s := range p.tiling.spans(lo, hi) {
		low, high := p.minMax(ws, s)
		widest(all.allLow[s.group:], all.allHigh[s.group:], low, high)
	}
}

// observeWhole moves the parameters with groups that lie contiguous and whole in [lo, hi).
func (p *pass[T]) observeWhole(ws *workspace[T], lo, hi int) {
	for s := range p.tiling.spans(lo, hi) {
		switch {
		case !p.observer.alone():
			low, high := p.minMax(ws, s)
			p.observer.update(s.group, low, high)
		case p.format.dtype.IsFloat():
			r := p.format.floatRule(p.params, s.group, s.grid.Groups, false)
			kernels.ObserveFloat(p.x[s.at:][:s.len()], s.grid, &r)
		default:
			r := p.format.intRule(p.params, s.group, s.grid.Groups, false)
			kernels.ObserveInt(p.x[s.at:][:s.len()], s.grid, &r)
		}
	}
}

// minMax finds the ranges of a span's groups.
func (p *pass[T]) minMax(ws *workspace[T], s span) (low, high []float32) {
	n := s.grid.Groups
	ws.min, ws.max, ws.low, ws.high = grow(ws.min, n), grow(ws.max, n), grow(ws.low, n), grow(ws.high, n)
	kernels.MinMax(ws.min, ws.max, p.x[s.at:][:s.len()], s.grid)
	widen(ws.low, ws.min)
	widen(ws.high, ws.max)
	return ws.low, ws.high
}

// observeBy moves the parameters with the ranges that a calculator finds.
func (p *pass[T]) observeBy(ranges RangeCalculator) {
	if m, ok := ranges.(*mse); ok {
		p.search(m)
		return
	}
	t, ws := p.tiling, p.workspaces[0]
	if p.format.gathers() {
		ws.allLow, ws.allHigh = grow(ws.allLow, t.count), grow(ws.allHigh, t.count)
		for g := range t.count {
			ws.allLow[g], ws.allHigh[g] = p.rangeBy(ranges, g)
		}
		p.observer.update(0, ws.allLow, ws.allHigh)
		return
	}
	ws.low, ws.high = grow(ws.low, 1), grow(ws.high, 1)
	for g := range t.count {
		ws.low[0], ws.high[0] = p.rangeBy(ranges, g)
		p.observer.update(g, ws.low, ws.high)
	}
}

// rangeBy is the range that a calculator finds of a group, rounded.
func (p *pass[T]) rangeBy(ranges RangeCalculator, g int) (low, high float32) {
	ws := p.workspaces[0]
	ws.wide = grow(ws.wide, chunk)
	r := ranges.Range(func(yield func([]float32) bool) {
		held := 0
		for at, length := range p.tiling.runs(g) {
			for x := p.x[at:][:length]; len(x) > 0; {
				n := min(len(x), chunk-held)
				widen(ws.wide[held:], x[:n])
				x, held = x[n:], held+n
				if held == chunk {
					if !yield(ws.wide) {
						return
					}
					held = 0
				}
			}
		}
		if held > 0 {
			yield(ws.wide[:held])
		}
	})
	return p.observer.round(r.Min), p.observer.round(r.Max)
}

// newObserver makes the observer of a resolved and valid spec with its calculator, for the tensors that e is of.
func newObserver(s Spec, c Calculator, e arithmetic) observer {
	if s.FloatRange.Fixed() {
		e = arithmeticOf[float32]()
	}
	return observer{
		format: newFormat(s), arithmetic: e, round: e.element.round, floatRange: s.FloatRange,
		ends:       s.FloatRange.rounded(e.element),
		calculator: c, dynamic: s.Calculator.Name == "dynamic",
	}
}
