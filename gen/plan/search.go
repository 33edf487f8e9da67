package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// A search is a loop over tries, whose stages are loops over strips of two registers, whose steps are straight-line code or
// loops over rows. What lives longer than a step is in memory: it is in the first cache, and few.

// stripRegisters is how many registers a strip has: sums of two are computed at the same time.
const stripRegisters = 2

// searchCode is what the steps of a search have in common.
type searchCode struct {
	k      *ir.Kernel
	m      BlockMachine
	at     map[string]GPR
	offset GPR // of the strip from the first
	steps  map[*ir.Block]*blocks
	places map[*ir.Block]map[*Seg]assignment
}

// GenerateSearch prints a search as one function of the machine.
func GenerateSearch(k *ir.Kernel, m BlockMachine) error {
	g := &searchCode{k: k, m: m, at: map[string]GPR{}, steps: map[*ir.Block]*blocks{}, places: map[*ir.Block]map[*Seg]assignment{}}
	args := Args(k)
	for i, a := range args {
		g.at[a.Name] = m.GPRs()[i]
	}
	g.offset = m.GPRs()[len(args)]
	for _, stage := range k.Search.Stages {
		for _, step := range stage.Steps {
			for _, step := range append([]*ir.Block{step}, g.others(step)...) {
				if err := g.fit(step); err != nil {
					return err
				}
			}
		}
	}

	f := &Func{Kernel: k, Name: k.Name + m.Name(), Args: args}
	f.Doc = strings.Split(f.Name+" "+k.Doc, "\n")
	m.Begin(f)
	var names []string
	for _, a := range args {
		names = append(names, m.GPRName(g.at[a.Name])+" "+a.Name)
	}
	m.Comment(strings.Join(append(names, m.GPRName(g.offset)+" the strip"), ", "))
	for _, name := range []string{"tries", "count", "groups", "choice"} {
		if r, ok := g.at[name]; ok {
			m.Arg(r, name)
		}
	}
	tried := false
	for i, stage := range k.Search.Stages {
		if stage.Tried && !tried {
			tried = true
			m.Label("try")
		}
		g.stage(i, stage)
	}
	if tried {
		m.AddImm(g.at["tries"], 4*ir.TryNumbers)
		m.CountDown(g.at["count"], "try")
	}
	m.Ret()
	return nil
}

// fit places what a step computes: over the rows of as many registers of a strip side by side as there is room for.
func (g *searchCode) fit(step *ir.Block) error {
	registers := 1
	if step.Rows {
		registers = stripRegisters
	}
	for {
		b := newBlocks(g.k, step, g.m, registers)
		b.at = g.at
		places, err := b.allocate()
		if err == nil {
			g.steps[step], g.places[step] = b, places
			return nil
		}
		if registers == 1 {
			return err
		}
		registers--
	}
}

// others are what may be done instead of a step.
func (g *searchCode) others(step *ir.Block) []*ir.Block {
	return slices.DeleteFunc(slices.Clone(step.Others), func(o *ir.Block) bool { return len(o.Tables) > 0 && !slices.Contains(o.Tables, g.m.BlockTables()) })
}

// stage prints the loop over the strips of a stage.
func (g *searchCode) stage(number int, stage *ir.Stage) {
	m, strip := g.m, fmt.Sprintf("strip%d", number)
	m.Sub(g.offset, g.offset)
	m.LoopHead(strip)
	for i, step := range stage.Steps {
		name := fmt.Sprintf("%d%d", number, i)
		others := g.others(step)
		for k, o := range others {
			if o.Before > 0 {
				m.Branch(g.at["count"], GreaterEqual, o.Before+1, otherName(k, name))
			} else {
				m.Branch(g.at["choice"], Equal, o.Choice, otherName(k, name))
			}
		}
		g.step(name, step)
		for k, o := range others {
			m.Jump("end" + name)
			m.Label(otherName(k, name))
			g.step(otherName(k, name), o)
		}
		if len(others) > 0 {
			m.Label("end" + name)
		}
	}
	m.AddImm(g.offset, 4*m.Width()*stripRegisters)
	m.BranchBelow(g.offset, g.at["groups"], strip)
}

// otherName is the label of what is done instead of a step.
func otherName(k int, step string) string { return []string{"other", "third"}[k] + step }

// step prints a step for a strip.
func (g *searchCode) step(name string, step *ir.Block) {
	m, b, places, n := g.m, g.steps[step], g.places[step], g.at["n"]
	if !step.Rows {
		g.point("params", 0)
		m.Number(n, stripRegisters)
		m.LoopHead("number" + name)
		b.call.print(places[b.call])
		b.body.print(places[b.body])
		m.AddImm(g.at["params"], 4*m.Width())
		m.CountDown(n, "number"+name)
		return
	}
	for register := 0; register < stripRegisters; register += b.registers {
		name := name
		if register > 0 {
			name += "more"
		}
		g.point("params", register)
		var rows []string
		for _, s := range Streams(g.k) {
			if step.Uses(s.Name) {
				rows = append(rows, s.Name)
				g.point(s.Name, register)
			}
		}
		b.call.print(places[b.call])
		m.Arg(n, "n")
		m.LoopHead("row" + name)
		b.body.print(places[b.body])
		for _, name := range rows {
			m.AddImm(g.at[name], step.Step(name))
		}
		m.CountDown(n, "row"+name)
		b.after.print(places[b.after])
	}
}

// point sets a pointer to a register of the strip.
func (g *searchCode) point(name string, register int) {
	g.m.Arg(g.at[name], name)
	g.m.Add(g.at[name], g.offset)
	if register > 0 {
		g.m.AddImm(g.at[name], 4*g.m.Width()*register)
	}
}
