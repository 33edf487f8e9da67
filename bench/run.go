package bench

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/lowbit-go/lowbit/kernels"
)

// Result is a measurement.
type Result struct {
	Op           string  `json:"op"`
	Impl         string  `json:"impl"`           // of the kernels
	N            int     `json:"n"`              // elements asked for
	NsPerElement float64 `json:"ns_per_element"` // of those in whole groups
	GBPerS       float64 `json:"gb_per_s"`       // 1e9 bytes read and written per second
	CopyRatio    float64 `json:"copy_ratio"`     // the kernel's time over that of a copy of the same bytes
}

// Config says what Run measures, and how.
type Config struct {
	Ops     []Op
	Impls   []string      // names of implementations, as kernels.Use takes them
	Sizes   []int         // in elements
	Workers int           // goroutines that share the elements
	MinTime time.Duration // of each kernel, and of each copy
	Done    func(Result)  // called after each measurement, if not nil
}

// Count returns how many measurements Run does.
func (c Config) Count() (count int) {
	for _, op := range c.Ops {
		for _, n := range c.Sizes {
			if op.Elements(n) > 0 {
				count += len(op.Impls(c.Impls))
			}
		}
	}
	return count
}

// Run measures each operation with each implementation that does it in its own way, at each size at which it has a group. The
// implementation that was chosen before is chosen afterwards. The error is ctx's, or that of kernels.Use; what was measured before it is returned too.
func Run(ctx context.Context, c Config) (results []Result, err error) {
	before := kernels.Implementation()
	defer func() { kernels.Use(before) }()
	arenas := make([]arena, c.Workers)
	for _, op := range c.Ops {
		for _, impl := range op.Impls(c.Impls) {
			if err := kernels.Use(impl); err != nil {
				return results, err
			}
			for _, n := range c.Sizes {
				taken := op.Elements(n)
				if taken == 0 {
					continue
				}
				r, err := c.measure(ctx, arenas, op, n, taken)
				if err != nil {
					return results, err
				}
				r.Op, r.Impl, r.N = op.Name, impl, n
				results = append(results, r)
				if c.Done != nil {
					c.Done(r)
				}
			}
		}
	}
	return results, nil
}

// measure lets the kernel and the ways to copy take turns: those that are not much slower than the fastest.
func (c Config) measure(ctx context.Context, arenas []arena, op Op, n, taken int) (Result, error) {
	unit := op.groups.unit(n)
	groups := taken / unit
	workers := min(len(arenas), groups)
	var kernel rounds
	var copying []rounds
	bytes := 0
	for k := range workers {
		a := &arenas[k]
		a.reset()
		w := op.begin(a, (groups*(k+1)/workers-groups*k/workers)*unit)
		kernel.runs = append(kernel.runs, w.run)
		bytes += w.read + w.written
		for i, way := range copies(a, w.read, w.written) {
			if k == 0 {
				copying = append(copying, rounds{})
			}
			copying[i].runs = append(copying[i].runs, way)
		}
	}
	kernel.calibrate(c.MinTime)
	best := math.Inf(1)
	for i := range copying {
		way := &copying[i]
		way.calibrate(c.MinTime)
		for range 3 {
			way.do()
		}
		best = min(best, way.best)
	}
	copying = slices.DeleteFunc(copying, func(way rounds) bool { return way.best > 1.2*best })
	for count := 0; count < leastRounds || kernel.total < c.MinTime || copying[0].total < c.MinTime; count++ {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		kernel.do()
		for i := range copying {
			copying[i].do()
			best = min(best, copying[i].best)
		}
	}
	return Result{NsPerElement: kernel.best / float64(taken), GBPerS: float64(bytes) / kernel.best, CopyRatio: kernel.best / best}, nil
}

// leastRounds are enough to have one in which the machine did little else, if a round takes longer than all are to take.
const leastRounds = 5

// rounds times some work that several workers do side by side, many times in a round.
type rounds struct {
	runs  []func() // of each worker
	times int      // each run is done in a round
	best  float64  // ns for a run
	total time.Duration
}

// A round is long against the clock's resolution, and if goroutines are to be started against that, but short enough to be left alone by
// whatever else the machine does.
const (
	soloRound   = 250 * time.Microsecond
	sharedRound = 2 * time.Millisecond
)

// calibrate finds out how often to do the work in a round. It touches all memory. Of two rounds the shorter counts: the first may take long for
// memory that is new, and either if the machine does something else. A round that is too short by that is never made up for.
func (r *rounds) calibrate(minTime time.Duration) {
	long := soloRound
	if len(r.runs) > 1 {
		long = sharedRound
	}
	for r.times = 1; min(r.do(), r.do()) < min(long, minTime); r.times *= 2 {
	}
	r.best, r.total = 0, 0
}

// do does one round, and returns its time. What the others did since the last one has driven its memory from the caches: it comes back
// before the clock starts, if a round does the work more than once.
func (r *rounds) do() time.Duration {
	if r.times > 1 {
		r.repeat(1)
	}
	start := time.Now()
	r.repeat(r.times)
	took := time.Since(start)
	r.total += took
	if ns := float64(took.Nanoseconds()) / float64(r.times); r.best == 0 || ns < r.best {
		r.best = ns
	}
	return took
}

// repeat does all work so many times.
func (r *rounds) repeat(times int) {
	repeat := func(run func()) {
		for range times {
			run()
		}
	}
	var others sync.WaitGroup
	for _, run := range r.runs[1:] {
		others.Go(func() { repeat(run) })
	}
	repeat(r.runs[0])
	others.Wait()
}
