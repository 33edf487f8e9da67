package main

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/lowbit-go/lowbit/bench"
)

// comparison is how long Lowbit takes for an operation, over how long a peer does.
type comparison struct {
	op     string
	ratios []float64 // of each size
}

// worst returns the largest ratio, and the size that has it.
func (c *comparison) worst(sizes []int) (ratio float64, size int) {
	for i, r := range c.ratios {
		if r > ratio {
			ratio, size = r, sizes[i]
		}
	}
	return ratio, size
}

// compare lets Lowbit and simd take turns at each operation that both do, on memory of their own, and compares the shortest rounds. That is fairer than
// to measure one after the other, as a machine that is shared is not as fast at any time. Each has new memory some times, now before the other and now
// behind it: where its pages lie in a cache that is just large enough makes differences of a tenth, between a program and itself too.
func compare(match *regexp.Regexp, sizes []int, each time.Duration) (all []comparison) {
	for _, op := range operations() {
		if op.Peers()[0] != simd || !match.MatchString(op.Name()) {
			continue
		}
		own := bench.Ops(regexp.MustCompile("^" + regexp.QuoteMeta(op.Name()) + "$"))[0]
		c := comparison{op: op.Name()}
		for _, n := range sizes {
			best := [2]float64{math.Inf(1), math.Inf(1)}
			for i := range placements {
				var runs [2]func()
				for k := range runs {
					k ^= i & 1
					runs[k], _ = []bench.Op{own, op.Op(simd)}[k].Begin(n)
				}
				turns(&best, runs, each/placements)
			}
			c.ratios = append(c.ratios, best[0]/best[1])
		}
		all = append(all, c)
	}
	return all
}

// A round is long against the clock's resolution, and short enough to be left alone; of five there is one that was.
const (
	round      = 100 * time.Microsecond
	rounds     = 5
	placements = 4 // of memory
)

// turns lets two take turns for some time, and sets best to the seconds that each takes if that is less.
func turns(best *[2]float64, runs [2]func(), each time.Duration) {
	times := 1
	for ; took(runs[0], times)+took(runs[1], times) < min(2*round, each); times *= 2 {
	}
	for start, i := time.Now(), 0; i < rounds || time.Since(start) < each; i++ {
		for k, run := range runs {
			best[k] = min(best[k], took(run, times).Seconds()/float64(times))
		}
	}
}

// took does some work so many times, and once before, as the other's has driven its memory from the caches.
func took(run func(), times int) time.Duration {
	if times > 1 {
		run()
	}
	start := time.Now()
	for range times {
		run()
	}
	return time.Since(start)
}

// table writes a row for each operation: the ratio at each size, and the worst.
func table(w io.Writer, sizes []int, all []comparison) {
	fmt.Fprint(w, "| op | worst |")
	for _, n := range sizes {
		fmt.Fprintf(w, " %s |", power(n))
	}
	fmt.Fprintf(w, "\n|%s\n", strings.Repeat("---|", 2+len(sizes)))
	for _, c := range all {
		worst, size := c.worst(sizes)
		fmt.Fprintf(w, "| %s | %.2f at %s |", c.op, worst, power(size))
		for _, r := range c.ratios {
			fmt.Fprintf(w, " %.2f |", r)
		}
		fmt.Fprintln(w)
	}
}

// power writes a number of elements with a binary unit.
func power(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMi", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%dKi", n>>10)
	}
	return fmt.Sprint(n)
}
