package quant

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lowbit-go/lowbit/kernels"
)

// Search returns the parameters of a whole part that is one group and too long for memory, where Spec.Searches: read reads elements from the one called
// first on, and all of them as often as the search looks at them. Its error ends the search. With more than one worker the range calculator mse has it
// called by as many goroutines at a time; the parameters do not depend on their number.
func (p *Pieces[T]) Search(part Part, workers int, read func(x []T, first int) error) (Params, error) {
	if p == nil {
		return Params{}, missing("Pieces")
	}
	if err := p.check(part); err != nil {
		return Params{}, err
	}
	if err := p.checkWhole(part); err != nil {
		return Params{}, err
	}
	if part.Groups != 1 {
		return Params{}, shapeError("Part", part, "one group")
	}
	if !p.spec.Searches() {
		return Params{}, specError("range_calculator_cls", p.spec.RangeCalculator.Name, "one that searches")
	}
	a, err := p.spec.algorithms(arithmeticOf[T]())
	if err != nil {
		return Params{}, err
	}
	importance, err := newColumnWeights(p.Importance, a.ranges, &p.tiling)
	if err != nil {
		return Params{}, err
	}
	o := p.observer
	p.resize(&o, part)
	l := &long[T]{part: part, read: read}
	var r Range
	b, isBinned := a.calculator.(*binned)
	m, isMSE := a.ranges.(*mse)
	switch {
	case p.Fixed():
	case isBinned:
		for x := range l.all {
			add(&b.histogram, x)
		}
		if l.failed == nil {
			r = b.rangeOf()
		}
	case isMSE:
		r = l.search(m, &importance, max(1, workers))
	default:
		wide := make([]float32, chunk)
		r = a.ranges.Range(func(yield func([]float32) bool) {
			for x := range l.all {
				for x := range slices.Chunk(x, chunk) {
					if !yield(widened(wide[:len(x)], x)) {
						return
					}
				}
			}
		})
	}
	if l.failed != nil {
		return Params{}, l.failed
	}
	low, high := []float32{o.round(r.Min)}, []float32{o.round(r.Max)}
	o.update(0, low, high)
	return o.params, nil
}

// long is a group that is searched through by reading it again and again, a run of at most fuse elements at a time.
type long[T kernels.Float] struct {
	part Part
	read func(x []T, first int) error

	mu     sync.Mutex
	failed error // to read
	hands  []hand[T]
}

// hand is the memory of a goroutine.
type hand[T kernels.Float] struct {
	x        []T
	wide     []float32
	searcher searcher
	ends     Range
}

// chunkRuns is how many chunks a run has, and sweptRuns how many runs a goroutine is to have before what they found is added up.
const (
	chunkRuns = fuse / chunk
	sweptRuns = 16
)

// runs is how many runs the group has.
func (l *long[T]) runs() int { return (l.part.Len + fuse - 1) / fuse }

// readRun reads a run into x, and returns what it has, nil if that fails.
func (l *long[T]) readRun(x []T, run int) []T {
	x = x[:min(fuse, l.part.Len-run*fuse)]
	if err := l.read(x, l.part.First+run*fuse); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failed = err
		return nil
	}
	return x
}

// all yields the runs in their order.
func (l *long[T]) all(yield func(x []T) bool) {
	memory := make([]T, min(fuse, l.part.Len))
	for run := range l.runs() {
		if x := l.readRun(memory, run); x == nil || !yield(x) {
			return
		}
	}
}

// sweep has do look at the chunks of some runs, widened, in any order. It tells which chunk it is, counted from the first of them, and the element that it
// begins with.
func (l *long[T]) sweep(from, to int, do func(h *hand[T], n, first int, x []float32)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for i := range l.hands {
		h := &l.hands[i]
		wait.Go(func() {
			for run := from + int(next.Add(1)) - 1; run < to; run = from + int(next.Add(1)) - 1 {
				x := l.readRun(h.x, run)
				if x == nil {
					return
				}
				n, first := (run-from)*chunkRuns, l.part.First+run*fuse
				for x := range slices.Chunk(x, chunk) {
					do(h, n, first, widened(h.wide[:len(x)], x))
					n, first = n+1, first+len(x)
				}
			}
		})
	}
	wait.Wait()
}

// search is mse.Range by so many workers, with weights or nil. Errors are added up in the order of the chunks, as one worker does.
func (l *long[T]) search(m *mse, importance *columnWeights, workers int) Range {
	workers = min(workers, l.runs())
	for range workers {
		l.hands = append(l.hands, hand[T]{make([]T, min(fuse, l.part.Len)), make([]float32, chunk), searcher{mse: m}, empty})
	}
	s := &m.alone
	s.signed = hasSigned(importance.values)
	l.sweep(0, l.runs(), func(h *hand[T], _, _ int, x []float32) {
		h.ends = Range{min(h.ends.Min, slices.Min(x)), max(h.ends.Max, slices.Max(x))}
	})
	ends := empty
	for _, h := range l.hands {
		ends = Range{min(ends.Min, h.ends.Min), max(ends.Max, h.ends.Max)}
	}
	window := sweptRuns * workers
	errs := make([]float32, window*chunkRuns*block)
	return s.best(ends, importance.values != nil, func(total []float64, gains func() bool) {
		for from := 0; from < l.runs() && l.failed == nil && gains(); from += window {
			to := min(from+window, l.runs())
			l.sweep(from, to, func(h *hand[T], n, first int, x []float32) {
				h.searcher.error(&s.params, errs[n*block:][:len(total)], x, h.searcher.weightsOf(importance, first, len(x)))
			})
			chunks := (min(to*fuse, l.part.Len) - from*fuse + chunk - 1) / chunk
			for n := range chunks {
				for j, e := range errs[n*block:][:len(total)] {
					total[j] += float64(e)
				}
			}
		}
	})
}
