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
// to measure one after the other, as a machine that is shared is not as fast at any time.
func compare(match *regexp.Regexp, sizes []int, each time.Duration) (all []comparison) {
	for _, op := range operations() {
		if op.Peers()[0] != simd || !match.MatchString(op.Name()) {
			continue
		}
		own := bench.Ops(regexp.MustCompile("^" + regexp.QuoteMeta(op.Name()) + "$"))[0]
		c := comparison{op: op.Name()}
		for _, n := range sizes {
			lowbit, _ := own.Begin(n)
			peer, _ := op.Op(simd).Begin(n)
			c.ratios = append(c.ratios, ratio(lowbit, peer, each))
		}
		all = append(all, c)
	}
	return all
}

// A round is long against the clock's resolution, and short enough to be left alone; of five there is one that was.
const (
	round  = 100 * time.Microsecond
	rounds = 5
)

// ratio is how long one takes over how long the other takes.
func ratio(one, other func(), each time.Duration) float64 {
	times := 1
	for ; took(one, times)+took(other, times) < min(2*round, each); times *= 2 {
	}
	best, bestOther := math.Inf(1), math.Inf(1)
	for start, i := time.Now(), 0; i < rounds || time.Since(start) < each; i++ {
		best = min(best, took(one, times).Seconds())
		bestOther = min(bestOther, took(other, times).Seconds())
	}
	return best / bestOther
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
