package quant

import (
	"sync"
	"sync/atomic"

	"github.com/lowbit-go/lowbit/kernels"
)

// Sizes in elements.
const (
	chunk = 1 << 12 // worked on at a time where an intermediate result is held; a multiple of 64
	fuse  = 1 << 16 // a group this small is still in cache when it was observed, and is quantized at once
	large = 1 << 22 // results of so many are more than a core's share of the caches, and the kernels are to know it
)

// Workers take pieces of at least piece elements, which stay in a core's cache. With less than minShare elements for each, to wake
// another core takes as long as it saves. Variables for the tests.
var (
	piece    = 1 << 15
	minShare = 1 << 19
)

// output writes what a pass does for the elements [lo, hi). Each is made when a pass first has that to write: a program
// links the kernels of the outputs that it asks for, and no others.
type output[T kernels.Float] func(ws *workspace[T], lo, hi int)

// phase is what the workers of a pass do side by side.
type phase uint8

const (
	observing     phase = iota // ranges from x
	observingAll               // the range of all of x
	writing                    // the output
	fused                      // both, a few groups at a time
	checking                   // whether all of x is finite
	searching                  // for the ranges of groups
	searchingLong              // the errors of a long group's chunks
)

// pass is one call's work. Passes are pooled, and keep their memory for the next one.
type pass[T kernels.Float] struct {
	format *format
	params *Params
	tiling *tiling   // nil for gradients
	out    output[T] // nil: nothing
	size   int       // number of elements
	x, y   []T
	mask   Mask
	codes  []byte
	lines  lines

	observer   *observer       // nil: the parameters stay as they are
	ranges     RangeCalculator // nil: the kernels
	importance columnWeights   // weights for them
	step       QuantizeStep    // nil: the kernels

	observed  bool // the ranges of all groups are in the first workspace
	nonFinite atomic.Bool

	long       int       // first element of the long group that is searched for
	longErrors []float32 // of its chunks, block candidates each
	longParams *Params   // of these candidates

	phase      phase
	workers    int
	shares     int // number of workers in this phase
	pieces     int // as many for each share
	unit       int // all pieces but the last are multiples of it
	apart      bool
	workspaces []*workspace[T] // of each worker
	run        []func()
	wait       sync.WaitGroup

	dynamic func(lo, hi int) // observes and writes in one, where out can; else nil
	outputs struct {
		fakes, codes, codeValues, valuesOfCodes, gradients output[T]
		dynamic                                            func(lo, hi int)
	}

	exclusive   bool // the quantizer is locked for writing
	ownTiling   tiling
	groups      []int    // room for those of a tiling to be
	ownObserver observer // of a dynamic pass
	ownFormat   format   // of a pass without a quantizer, or that knows what the quantizer's does not
	ownParams   Params
}

// workspace is the memory of one worker.
type workspace[T kernels.Float] struct {
	min, max  []T // of the groups of a span
	low, high []float32

	allLow, allHigh []float32 // of all groups

	taken atomic.Int64 // pieces of its share, by whomever

	codes         [2 * chunk]byte // of two bytes at most
	mask          [chunk]byte
	wide, stepped []float32
	searcher      searcher
}

// passes are the pools, by element.
var passes [3]sync.Pool

func newPass[T kernels.Float]() *pass[T] {
	if p, ok := passes[elementOf[T]()].Get().(*pass[T]); ok {
		return p
	}
	return new(pass[T])
}

// release forgets the caller's memory.
func (p *pass[T]) release() {
	p.format, p.params, p.tiling, p.out, p.dynamic = nil, nil, nil, nil, nil
	p.x, p.y, p.mask, p.codes, p.lines = nil, nil, Mask{}, nil, lines{}
	p.observer, p.ranges, p.importance, p.step, p.longParams = nil, nil, columnWeights{}, nil, nil
	p.exclusive, p.observed, p.ownParams = false, false, Params{}
	passes[elementOf[T]()].Put(p)
}

// do does the work with up to that many workers. All was checked before.
func (p *pass[T]) do(workers int) {
	p.equip(workers)
	if p.observer != nil {
		switch {
		case p.observed:
			p.observer.update(0, p.workspaces[0].allLow, p.workspaces[0].allHigh)
		case p.observer.fixed():
			p.observeNothing()
		case p.observer.histogram() != nil:
			p.observeBins(p.observer.histogram())
		case p.ranges != nil:
			p.observeBy(p.ranges)
		case p.fuses():
			if p.format.gathers() {
				p.observeGlobal()
			}
			p.unit = p.batch()
			p.split(fused, p.workers)
			return
		default:
			p.observe()
			p.observer.update(0, p.workspaces[0].allLow, p.workspaces[0].allHigh)
		}
	}
	if p.out != nil {
		p.unit = p.writingUnit()
		p.split(writing, p.workers)
	}
}

// equip makes workspaces for up to that many workers.
func (p *pass[T]) equip(workers int) {
	share := minShare
	if _, ok := p.ranges.(*mse); ok {
		share /= 16 // there is more to do for each
	}
	p.workers = max(1, min(workers, p.size/share))
	if p.step != nil {
		p.workers = 1 // a user's own takes the elements in their order
	}
	for k := len(p.workspaces); k < p.workers; k++ {
		p.workspaces = append(p.workspaces, new(workspace[T]))
		p.run = append(p.run, func() {
			defer p.wait.Done()
			p.work(k)
		})
	}
}

// fuses tells whether each group can be observed and quantized while it is in cache.
func (p *pass[T]) fuses() bool {
	return p.tiling.contiguous() && p.tiling.grid.Len <= fuse && p.batch() <= fuse &&
		p.out != nil && p.step == nil && !p.lines.padded && (!p.format.gathers() || p.observer.alone()) &&
		(p.workers == 1 || shareable(p.observer.calculator))
}

// observesAlone tells whether codes may be observed and written in one.
func (p *pass[T]) observesAlone() bool {
	return p.observer.alone() && (!p.lines.packed || p.tiling.grid.Len*p.lines.bits%8 == 0)
}

// batch returns the number of elements that are observed and quantized in turn: whole groups, and whole bytes of a mask and of codes.
func (p *pass[T]) batch() int {
	n := lcm(p.tiling.grid.Len, 8)
	return n * max(1, chunk/n)
}

// writingUnit returns a unit with which shares end at a whole byte of a mask and of codes, and at the end of a row or a group if they
// are large enough, so that kernel calls stay long.
func (p *pass[T]) writingUnit() int {
	if p.lines.padded {
		return p.lines.length
	}
	if p.tiling != nil {
		share := p.size / p.workers
		for _, n := range [2]int{p.tiling.grid.Groups * p.tiling.grid.Len, p.tiling.grid.Len} {
			if n = lcm(n, 64); n <= share/4 {
				return n
			}
		}
	}
	return 64
}

// split does a phase in pieces of whole units. Each worker begins with a share of its own, so that it finds in its cache what it had
// there in the phase before, and goes on with what others have not come to. Who does which makes no difference to the results.
func (p *pass[T]) split(ph phase, shares int) {
	p.phase, p.shares, p.pieces = ph, shares, shares
	if n := piece; shares > 1 {
		if p.size/shares >= large {
			n = large
		}
		p.pieces = max(shares, p.size/n/shares*shares)
	}
	for _, ws := range p.workspaces[:shares] {
		ws.taken.Store(0)
	}
	p.wait.Add(shares - 1)
	for k := 1; k < shares; k++ {
		go p.run[k]()
	}
	if shares > 1 {
		go yield()
	}
	p.work(0)
	p.wait.Wait()
}

// yield is started after the workers: what was started last is kept for a while for the core that started it, and all else can go to
// another at once.
func yield() {}

// start returns the element at which the i-th piece begins.
func (p *pass[T]) start(i int) int {
	units := (p.size + p.unit - 1) / p.unit
	return min(p.size, (units/p.pieces*i+units%p.pieces*i/p.pieces)*p.unit)
}

// work does the k-th share of a phase, and what is left of the others.
func (p *pass[T]) work(k int) {
	each := p.pieces / p.shares
	for i := range p.shares {
		share := (k + i) % p.shares
		for {
			n := int(p.workspaces[share].taken.Add(1)) - 1
			if n >= each {
				break
			}
			p.workOn(k, p.start(share*each+n), p.start(share*each+n+1))
		}
	}
}

// workOn does a phase of the elements [lo, hi), in the k-th workspace.
func (p *pass[T]) workOn(k, lo, hi int) {
	ws := p.workspaces[k]
	switch p.phase {
	case checking:
		p.checkShare(ws, lo, hi)
	case observing:
		p.observeShare(k, lo, hi)
	case observingAll:
		p.observeAll(ws, lo, hi)
	case searching: // for groups
		p.searchGroups(ws, lo, hi)
	case searchingLong: // for chunks
		p.searchChunks(ws, lo, hi)
	case writing:
		p.write(ws, lo, hi)
	case fused:
		if p.dynamic != nil && p.observesAlone() {
			p.dynamic(lo, hi)
			return
		}
		for n := p.batch(); lo < hi; lo += n {
			end := min(lo+n, hi)
			p.observeWhole(ws, lo, end)
			p.write(ws, lo, end)
		}
	}
}

// lcm returns the least common multiple of two positive numbers.
func lcm(a, b int) int {
	x, y := a, b
	for y > 0 {
		x, y = y, x%y
	}
	return a / x * b
}
