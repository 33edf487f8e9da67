package plan

import (
	"strings"
	"testing"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// small is a machine with a few registers; only what allocation asks for is there.
type small struct {
	Machine
	regs int
}

func (m small) Name() string { return "Small" }

func (m small) Regs(c Class) []int {
	out := make([]int, m.regs)
	for i := range out {
		out[i] = i
	}
	return out
}

func segment(regs int) *Seg {
	return &Seg{p: &planner{k: ir.New("f", "Kernel", ""), m: small{regs: regs}}}
}

func emit(int, []int) {}

func TestScanReuses(t *testing.T) {
	s := segment(2)
	a := s.Op(Vec, emit)
	b := s.Op(Vec, emit)
	c := s.Op(Vec, emit, a, b)   // takes a's
	d := s.OpApart(Vec, emit, c) // takes b's
	s.OpTied(Vec, emit, d)       // may stay in d's
	at, ok := s.p.scan(s, nil)
	if !ok || at[c] != at[a] || at[d] != at[b] {
		t.Fatalf("ok %v, registers %v", ok, at)
	}
	s.p.verify(s, at, nil)
}

func TestScanRunsOut(t *testing.T) {
	for _, regs := range []int{2, 3} {
		s := segment(regs)
		a, b := s.Op(Vec, emit), s.Op(Vec, emit)
		s.OpApart(Vec, emit, a, b)
		if _, ok := s.p.scan(s, nil); ok != (regs == 3) {
			t.Errorf("%d registers: ok %v", regs, ok)
		}
	}
}

func TestPinnedStay(t *testing.T) {
	s := segment(3)
	p := s.New(Vec)
	pinned := map[V]int{p: 2}
	a := s.Op(Vec, emit, p)
	s.Op(Vec, emit, a, p)
	at, ok := s.p.scan(s, pinned)
	if !ok || at[p] != 2 || at[a] == 2 {
		t.Fatalf("ok %v, registers %v", ok, at)
	}
}

func TestVerify(t *testing.T) {
	build := func() *Seg {
		s := segment(3)
		a, b := s.Op(Vec, emit), s.Op(Vec, emit)
		s.OpApart(Vec, emit, a, b)
		return s
	}
	for what, c := range map[string]struct {
		at     assignment
		pinned map[V]int
		want   string
	}{
		"a value overwritten":    {assignment{0: 0, 1: 0, 2: 1}, nil, "reads register 0"},
		"an operand overwritten": {assignment{0: 0, 1: 1, 2: 1}, nil, "writes over an operand"},
		"a pinned one":           {assignment{0: 0, 1: 1, 2: 2}, map[V]int{3: 2}, "lives through the loop"},
		"nothing wrong":          {assignment{0: 0, 1: 1, 2: 2}, nil, ""},
	} {
		t.Run(what, func(t *testing.T) {
			s := build()
			s.New(Vec)
			defer func() {
				r := recover()
				got, _ := r.(string)
				if (r == nil) != (c.want == "") || !strings.Contains(got, c.want) {
					t.Errorf("panic %v, want %q", r, c.want)
				}
			}()
			s.p.verify(s, c.at, c.pinned)
		})
	}
}
