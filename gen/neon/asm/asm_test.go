package asm

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var record = flag.Bool("record", false, "write testdata/encodings.txt, as LLVM's assembler encodes it; with -run TestLLVM")

const recorded = "testdata/encodings.txt"

// instruction is one that a method prints, and what a disassembler says of it.
type instruction struct {
	method, want string
	emit         func(p *Printer)
}

// tests expands each method into instructions with several registers, sizes and immediates.
func tests() []instruction {
	var out []instruction
	vs := [][3]V{{0, 1, 2}, {31, 30, 29}, {3, 31, 3}, {16, 16, 16}}
	rs := [][3]R{{0, 1, 2}, {26, 25, 24}, {17, 19, 17}}
	add := func(method, want string, emit func(p *Printer), pairs ...any) {
		for i := 0; i < len(pairs); i += 2 {
			want = strings.ReplaceAll(want, "{"+pairs[i].(string)+"}", fmt.Sprint(pairs[i+1]))
		}
		out = append(out, instruction{method, want, emit})
	}
	v2 := func(method, want string, f func(p *Printer, d, n V)) {
		for _, r := range vs {
			add(method, want, func(p *Printer) { f(p, r[0], r[1]) }, "d", r[0], "n", r[1])
		}
	}
	v3 := func(method, want string, f func(p *Printer, d, n, m V)) {
		for _, r := range vs {
			add(method, want, func(p *Printer) { f(p, r[0], r[1], r[2]) }, "d", r[0], "n", r[1], "m", r[2])
		}
	}
	// {t} is a full register; {h} and {u} are the halves' and the whole
	// arrangement of elements half as wide.
	expand := func(want string, s Size) string {
		full := []string{"16b", "8h", "4s", "2d"}
		half := []string{"8b", "4h", "2s"}
		pairs := []string{"{t}", full[s]}
		if s > B {
			pairs = append(pairs, "{h}", half[s-1], "{u}", full[s-1])
		}
		return strings.NewReplacer(pairs...).Replace(want)
	}
	s2 := func(method, want string, low, high Size, f func(p *Printer, s Size, d, n V)) {
		for s := low; s <= high; s++ {
			v2(method, expand(want, s), func(p *Printer, d, n V) { f(p, s, d, n) })
		}
	}
	s3 := func(method, want string, low, high Size, f func(p *Printer, s Size, d, n, m V)) {
		for s := low; s <= high; s++ {
			v3(method, expand(want, s), func(p *Printer, d, n, m V) { f(p, s, d, n, m) })
		}
	}
	shift := func(method, want string, first, beyond int, f func(p *Printer, s Size, d, n V, count int)) {
		for s := B; s <= D; s++ {
			for _, count := range []int{first, 3, 8*s.bytes() + beyond} {
				text := strings.ReplaceAll(expand(want, s), "{i}", strconv.Itoa(count))
				v2(method, text, func(p *Printer, d, n V) { f(p, s, d, n, count) })
			}
		}
	}
	x2 := func(method, want string, f func(p *Printer, d, n R)) {
		for _, r := range rs {
			add(method, want, func(p *Printer) { f(p, r[0], r[1]) }, "d", r[0], "n", r[1])
		}
	}
	x3 := func(method, want string, f func(p *Printer, d, n, m R)) {
		for _, r := range rs {
			add(method, want, func(p *Printer) { f(p, r[0], r[1], r[2]) }, "d", r[0], "n", r[1], "m", r[2])
		}
	}
	x2i := func(method, want string, f func(p *Printer, d, n R, imm int), imms ...int) {
		for _, imm := range imms {
			x2(method, strings.ReplaceAll(want, "{i}", immText(method, imm)), func(p *Printer, d, n R) { f(p, d, n, imm) })
		}
	}

	v3("FADD", "fadd v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FADD)
	v3("FSUB", "fsub v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FSUB)
	v3("FMUL", "fmul v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FMUL)
	v3("FDIV", "fdiv v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FDIV)
	v3("FMLA", "fmla v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FMLA)
	v3("FMLS", "fmls v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FMLS)
	v2("FNEG", "fneg v{d}.4s, v{n}.4s", (*Printer).FNEG)
	v2("FSQRT", "fsqrt v{d}.4s, v{n}.4s", (*Printer).FSQRT)
	v2("FABS", "fabs v{d}.4s, v{n}.4s", (*Printer).FABS)
	v2("FRINTN", "frintn v{d}.4s, v{n}.4s", (*Printer).FRINTN)
	for s := H; s <= D; s++ {
		for _, u := range []struct {
			name, from string
			f          func(p *Printer, wide Size, d, n, m V)
		}{{"UMULL", (s - 1).half(), (*Printer).UMULL}, {"UMULL2", (s - 1).arm(), (*Printer).UMULL2}} {
			v3(u.name, strings.ToLower(u.name)+" v{d}."+s.arm()+", v{n}."+u.from+", v{m}."+u.from, func(p *Printer, d, n, m V) { u.f(p, s, d, n, m) })
		}
	}
	v3("FMAX", "fmax v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FMAX)
	v3("FMIN", "fmin v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FMIN)
	v3("FMAXNM", "fmaxnm v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FMAXNM)
	v3("FMAXP", "fmaxp v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FMAXP)
	v3("FMINP", "fminp v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FMINP)
	v2("FMAXV", "fmaxv s{d}, v{n}.4s", (*Printer).FMAXV)
	v2("FCMP", "fcmp s{d}, s{n}", (*Printer).FCMP)
	v3("FCMGT", "fcmgt v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FCMGT)
	v3("FCMGE", "fcmge v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FCMGE)
	v3("FCMEQ", "fcmeq v{d}.4s, v{n}.4s, v{m}.4s", (*Printer).FCMEQ)
	v2("FCVTZS", "fcvtzs v{d}.4s, v{n}.4s", (*Printer).FCVTZS)
	v2("FCVTNS", "fcvtns v{d}.4s, v{n}.4s", (*Printer).FCVTNS)
	v2("SCVTF", "scvtf v{d}.4s, v{n}.4s", (*Printer).SCVTF)
	v2("FCVTN", "fcvtn v{d}.4h, v{n}.4s", (*Printer).FCVTN)
	v2("FCVTN2", "fcvtn2 v{d}.8h, v{n}.4s", (*Printer).FCVTN2)
	v2("FCVTL", "fcvtl v{d}.4s, v{n}.4h", (*Printer).FCVTL)
	v2("FCVTL2", "fcvtl2 v{d}.4s, v{n}.8h", (*Printer).FCVTL2)
	v3("FADDD", "fadd v{d}.2d, v{n}.2d, v{m}.2d", (*Printer).FADDD)
	v3("FSUBD", "fsub v{d}.2d, v{n}.2d, v{m}.2d", (*Printer).FSUBD)
	v3("FMULD", "fmul v{d}.2d, v{n}.2d, v{m}.2d", (*Printer).FMULD)
	v3("FMAXD", "fmax v{d}.2d, v{n}.2d, v{m}.2d", (*Printer).FMAXD)
	v2("FABSD", "fabs v{d}.2d, v{n}.2d", (*Printer).FABSD)
	v2("FCVTLD", "fcvtl v{d}.2d, v{n}.2s", (*Printer).FCVTLD)
	v2("FCVTL2D", "fcvtl2 v{d}.2d, v{n}.4s", (*Printer).FCVTL2D)

	s3("ADD", "add v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).ADD)
	s3("SUB", "sub v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).SUB)
	s3("SQDMULH", "sqdmulh v{d}.{t}, v{n}.{t}, v{m}.{t}", H, S, (*Printer).SQDMULH)
	s3("SQADD", "sqadd v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).SQADD)
	s3("SMAX", "smax v{d}.{t}, v{n}.{t}, v{m}.{t}", B, S, (*Printer).SMAX)
	s3("SMIN", "smin v{d}.{t}, v{n}.{t}, v{m}.{t}", B, S, (*Printer).SMIN)
	s3("UMIN", "umin v{d}.{t}, v{n}.{t}, v{m}.{t}", B, S, (*Printer).UMIN)
	s3("USHL", "ushl v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).USHL)
	s3("UMAX", "umax v{d}.{t}, v{n}.{t}, v{m}.{t}", B, S, (*Printer).UMAX)
	s3("SMAXP", "smaxp v{d}.{t}, v{n}.{t}, v{m}.{t}", B, S, (*Printer).SMAXP)
	s3("UMAXP", "umaxp v{d}.{t}, v{n}.{t}, v{m}.{t}", B, S, (*Printer).UMAXP)
	s3("UMINP", "uminp v{d}.{t}, v{n}.{t}, v{m}.{t}", B, S, (*Printer).UMINP)
	s3("ADDP", "addp v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).ADDP)
	s3("CMEQ", "cmeq v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).CMEQ)
	s3("CMGT", "cmgt v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).CMGT)
	s3("CMTST", "cmtst v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).CMTST)

	v3("AND", "and v{d}.16b, v{n}.16b, v{m}.16b", (*Printer).AND)
	v3("EOR", "eor v{d}.16b, v{n}.16b, v{m}.16b", (*Printer).EOR)
	v3("BSL", "bsl v{d}.16b, v{n}.16b, v{m}.16b", (*Printer).BSL)
	for _, r := range vs {
		want := "orr v{d}.16b, v{n}.16b, v{m}.16b"
		if r[1] == r[2] { // a disassembler calls it a move then
			want = "mov v{d}.16b, v{n}.16b"
		}
		add("ORR", want, func(p *Printer) { p.ORR(r[0], r[1], r[2]) }, "d", r[0], "n", r[1], "m", r[2])
	}
	v2("MOV", "mov v{d}.16b, v{n}.16b", (*Printer).MOV)
	shift("SHL", "shl v{d}.{t}, v{n}.{t}, #{i}", 0, -1, (*Printer).SHL)
	shift("SLI", "sli v{d}.{t}, v{n}.{t}, #{i}", 0, -1, (*Printer).SLI)
	shift("USHR", "ushr v{d}.{t}, v{n}.{t}, #{i}", 1, 0, (*Printer).USHR)
	shift("USRA", "usra v{d}.{t}, v{n}.{t}, #{i}", 1, 0, (*Printer).USRA)

	s2("SXTL", "sshll v{d}.{t}, v{n}.{h}, #0", H, D, (*Printer).SXTL)
	s2("UXTL", "ushll v{d}.{t}, v{n}.{h}, #0", H, D, (*Printer).UXTL)
	s2("SXTL2", "sshll2 v{d}.{t}, v{n}.{u}, #0", H, D, (*Printer).SXTL2)
	s2("UXTL2", "ushll2 v{d}.{t}, v{n}.{u}, #0", H, D, (*Printer).UXTL2)
	for s := H; s <= D; s++ {
		bits := fmt.Sprintf(", #%d", 4*s.bytes())
		s2("SHLL", "shll v{d}.{t}, v{n}.{h}"+bits, s, s, (*Printer).SHLL)
		s2("SHLL2", "shll2 v{d}.{t}, v{n}.{u}"+bits, s, s, (*Printer).SHLL2)
	}
	s3("ADDHN", "addhn v{d}.{h}, v{n}.{t}, v{m}.{t}", H, D, (*Printer).ADDHN)
	s3("ADDHN2", "addhn2 v{d}.{u}, v{n}.{t}, v{m}.{t}", H, D, (*Printer).ADDHN2)
	s2("SQXTN", "sqxtn v{d}.{h}, v{n}.{t}", H, D, (*Printer).SQXTN)
	s2("SQXTN2", "sqxtn2 v{d}.{u}, v{n}.{t}", H, D, (*Printer).SQXTN2)
	s2("SQXTUN", "sqxtun v{d}.{h}, v{n}.{t}", H, D, (*Printer).SQXTUN)
	s2("SQXTUN2", "sqxtun2 v{d}.{u}, v{n}.{t}", H, D, (*Printer).SQXTUN2)

	s3("UZP1", "uzp1 v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).UZP1)
	s3("UZP2", "uzp2 v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).UZP2)
	s3("ZIP1", "zip1 v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).ZIP1)
	s3("ZIP2", "zip2 v{d}.{t}, v{n}.{t}, v{m}.{t}", B, D, (*Printer).ZIP2)
	for n := 1; n <= 4; n++ {
		for _, r := range []V{0, 28} {
			l := list(r, n)
			add("TBL", "tbl v31.16b, "+l+", v1.16b", func(p *Printer) { p.TBL(31, r, n, 1) })
			add("LD1P", "ld1 "+l+", [x26], #"+strconv.Itoa(16*n), func(p *Printer) { p.LD1P(r, n, 26) })
			add("ST1P", "st1 "+l+", [x26], #"+strconv.Itoa(16*n), func(p *Printer) { p.ST1P(26, r, n) })
		}
	}
	add("MOVI", "movi v31.2d, #0000000000000000", func(p *Printer) { p.MOVI(31, 0) })
	for _, imm := range []uint8{1, 255} {
		add("MOVI", "movi v31.16b, #{i}", func(p *Printer) { p.MOVI(31, imm) }, "i", imm)
	}
	for s := B; s <= D; s++ {
		w := "w"
		if s == D {
			w = "x"
		}
		for _, i := range []int{0, s.lanes() - 1} {
			add("DUP", "dup v31.{t}, v9.{c}[{i}]", func(p *Printer) { p.DUP(s, 31, 9, i) }, "t", s.arm(), "c", s.lower(), "i", i)
		}
		add("DUPX", "dup v31.{t}, {w}9", func(p *Printer) { p.DUPX(s, 31, 9) }, "t", s.arm(), "w", w)
		add("LD1R", "ld1r { v31.{t} }, [x9]", func(p *Printer) { p.LD1R(s, 31, 9) }, "t", s.arm())
		// after the frame, the link register and Go's frame pointer
		load := []string{"ldrb w", "ldrh w", "ldr w", "ldr x"}[s]
		add("XARG", load+"9, [sp, #{i}]", func(p *Printer) { p.XARG(s, 9, "arg", 16) }, "i", testFrame+32+8+16)
		add("XLDRP", load+"9, [x10], #{l}", func(p *Printer) { p.XLDRP(s, 9, 10) }, "l", s.bytes())
		add("XSTRP", strings.Replace(load, "ld", "st", 1)+"9, [x10], #{l}", func(p *Printer) { p.XSTRP(s, 10, 9) }, "l", s.bytes())
	}
	add("LDRARG", "ldr s31, [sp, #{i}]", func(p *Printer) { p.LDRARG(S, 31, "arg", 4) }, "i", testFrame+32+8+4)
	add("LDRARG", "ldr d31, [sp, #{i}]", func(p *Printer) { p.LDRARG(D, 31, "arg", 8) }, "i", testFrame+32+8+8)

	for s := B; s <= Q; s++ {
		c, l := strings.ToLower(s.letter()), s.bytes()
		places := []struct {
			mem  Mem
			text string
			unit string
		}{
			{At(9, 0), "[x9]", "r"},
			{At(26, l), fmt.Sprintf("[x26, #%d]", l), "r"},
			{At(9, 4095*l), fmt.Sprintf("[x9, #%d]", 4095*l), "r"},
			{At(9, -1), "[x9, #-1]", "ur"},
			{At(9, -256), "[x9, #-256]", "ur"},
			{Frame(0), "[sp, #16]", "r"},
			{Frame(testFrame - l), fmt.Sprintf("[sp, #%d]", testFrame-l+16), "r"},
		}
		for _, a := range places {
			add("LDR", "ld{u} {c}31, {a}", func(p *Printer) { p.LDR(s, 31, a.mem) }, "u", a.unit, "c", c, "a", a.text)
			add("STR", "st{u} {c}31, {a}", func(p *Printer) { p.STR(s, a.mem, 31) }, "u", a.unit, "c", c, "a", a.text)
			if s < Q {
				tail := []string{"b w8", "h w8", " w8", " x8"}[s]
				add("XLDR", "ld{u}{x}, {a}", func(p *Printer) { p.XLDR(s, 8, a.mem) }, "u", a.unit, "x", tail, "a", a.text)
				add("XSTR", "st{u}{x}, {a}", func(p *Printer) { p.XSTR(s, a.mem, 8) }, "u", a.unit, "x", tail, "a", a.text)
			}
		}
	}

	x2("XMOV", "mov x{d}, x{n}", (*Printer).XMOV)
	for _, imm := range []int{5, -6, 65533} {
		add("XMOVI", "mov x26, #{i}", func(p *Printer) { p.XMOVI(26, imm) }, "i", imm)
	}
	add("XFRAME", "add x9, sp, #16", func(p *Printer) { p.XFRAME(9, 0) })
	add("XFRAME", "add x9, sp, #48", func(p *Printer) { p.XFRAME(9, 32) })
	for _, r := range []R{0, 17, 26} {
		add("XMOVFPCR", fmt.Sprintf("mrs x%d, FPCR", r), func(p *Printer) { p.XMOVFPCR(r) })
		add("FPCRMOVX", fmt.Sprintf("msr FPCR, x%d", r), func(p *Printer) { p.FPCRMOVX(r) })
	}
	x3("XADD", "add x{d}, x{n}, x{m}", (*Printer).XADD)
	x3("XSUB", "sub x{d}, x{n}, x{m}", (*Printer).XSUB)
	x3("XMUL", "mul x{d}, x{n}, x{m}", (*Printer).XMUL)
	x3("XCSELLE", "csel x{d}, x{n}, x{m}, le", (*Printer).XCSELLE)
	x2("XCMP", "cmp x{d}, x{n}", (*Printer).XCMP)
	x3("XAND", "and x{d}, x{n}, x{m}", (*Printer).XAND)
	x3("XLSL", "lsl x{d}, x{n}, x{m}", (*Printer).XLSL)
	for _, c := range []int{1, 63} {
		x3("XADDLSL", fmt.Sprintf("add x{d}, x{n}, x{m}, lsl #%d", c), func(p *Printer, d, n, m R) { p.XADDLSL(d, n, m, c) })
		x3("XSUBLSL", fmt.Sprintf("sub x{d}, x{n}, x{m}, lsl #%d", c), func(p *Printer, d, n, m R) { p.XSUBLSL(d, n, m, c) })
		x3("XADDLSR", fmt.Sprintf("add x{d}, x{n}, x{m}, lsr #%d", c), func(p *Printer, d, n, m R) { p.XADDLSR(d, n, m, c) })
	}
	x2i("XADDI", "add x{d}, x{n}, {i}", (*Printer).XADDI, 0, 1, 4095, 4096, 0xfff000)
	x2i("XSUBI", "sub x{d}, x{n}, {i}", (*Printer).XSUBI, 0, 1, 4095, 4096, 0xfff000)
	x2i("XCMPI", "cmp x{n}, {i}", func(p *Printer, _, n R, imm int) { p.XCMPI(n, imm) }, 0, 1, 4095, 4096)
	x2i("XANDI", "and x{d}, x{n}, {i}", (*Printer).XANDI, 1, 15, 0xff0, -16, 1<<40-1, -1<<63, ^8)

	labels := 0
	branch := func(method, want string, f func(p *Printer, label string)) {
		labels++
		label := fmt.Sprintf("next%d", labels)
		add(method, want, func(p *Printer) { f(p, label); p.Label(label) })
	}
	branch("B", "b #4", (*Printer).B)
	branch("BEQ", "b.eq #4", (*Printer).BEQ)
	branch("BNE", "b.ne #4", (*Printer).BNE)
	branch("BLT", "b.lt #4", (*Printer).BLT)
	branch("BLE", "b.le #4", (*Printer).BLE)
	branch("BGE", "b.ge #4", (*Printer).BGE)
	branch("BVS", "b.vs #4", (*Printer).BVS)
	branch("CBZ", "cbz x26, #4", func(p *Printer, l string) { p.CBZ(26, l) })
	branch("CBNZ", "cbnz x26, #4", func(p *Printer, l string) { p.CBNZ(26, l) })
	branch("TBZ", "tbz w26, #0, #4", func(p *Printer, l string) { p.TBZ(26, 0, l) })
	branch("TBNZ", "tbnz w26, #0, #4", func(p *Printer, l string) { p.TBNZ(26, 0, l) })
	branch("TBNZ", "tbnz x25, #63, #4", func(p *Printer, l string) { p.TBNZ(25, 63, l) })
	return out
}

func list(v V, n int) string {
	regs := make([]string, n)
	for i := range regs {
		regs[i] = fmt.Sprintf("v%d.16b", int(v)+i)
	}
	return "{ " + strings.Join(regs, ", ") + " }"
}

// immText is how a disassembler writes an immediate.
func immText(method string, imm int) string {
	switch {
	case method == "XANDI":
		return fmt.Sprintf("#%#x", uint64(imm))
	case imm >= 4096:
		return fmt.Sprintf("#%d, lsl #12", imm>>12)
	}
	return fmt.Sprintf("#%d", imm)
}

const testFrame = 64

// structural methods print something else than one instruction.
var structural = []string{"Bytes", "Text", "Routine", "CALL", "GOTO", "RET", "Comment", "Blank", "Label", "LITERAL"}

func TestEveryMethodIsTested(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range tests() {
		seen[i.method] = true
	}
	for _, m := range structural {
		seen[m] = true
	}
	for m := range reflect.TypeFor[*Printer]().Methods() {
		if !seen[m.Name] {
			t.Errorf("%s has no test", m.Name)
		}
		delete(seen, m.Name)
	}
	for name := range seen {
		t.Errorf("%s is tested, but is no method", name)
	}
}

// readRecorded returns each instruction's encoding.
func readRecorded(t *testing.T) map[string]uint32 {
	b, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]uint32{}
	for line := range strings.Lines(string(b)) {
		code, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		c, err := strconv.ParseUint(code, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		codes[text] = uint32(c)
	}
	return codes
}

var wordLine = regexp.MustCompile(`^\tWORD \$0x([0-9a-f]{8}) // (.*)\n$`)

func TestWords(t *testing.T) {
	codes := readRecorded(t)
	words := 0
	for _, i := range tests() {
		p := &Printer{frame: testFrame}
		i.emit(p)
		m := wordLine.FindSubmatch(p.Bytes())
		if m == nil {
			continue
		}
		words++
		code, ok := codes[i.want]
		if got := string(m[2]); got != i.want {
			t.Errorf("%s: comment %q, want %q", i.method, got, i.want)
		}
		if got := string(m[1]); !ok || got != fmt.Sprintf("%08x", code) {
			t.Errorf("%s: %s is %s, want %08x", i.method, i.want, got, code)
		}
	}
	if words < 180 {
		t.Errorf("only %d words", words)
	}
}

// assemble returns the instructions that each line of a file becomes, with what objdump says of them.
func assemble(t *testing.T, text []byte) map[int][]dumped {
	t.Helper()
	dir := t.TempDir()
	source, object := filepath.Join(dir, "test.s"), filepath.Join(dir, "test.o")
	if err := os.WriteFile(source, text, 0o666); err != nil {
		t.Fatal(err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	include := filepath.Join(strings.TrimSpace(string(root)), "pkg", "include")
	cmd := exec.Command("go", "tool", "asm", "-p", "test", "-I", include, "-o", object, source)
	cmd.Env = append(os.Environ(), "GOARCH=arm64", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dump, err := exec.Command("go", "tool", "objdump", object).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := map[int][]dumped{}
	for _, m := range dumpLine.FindAllStringSubmatch(string(dump), -1) {
		line, _ := strconv.Atoi(m[1])
		code, _ := strconv.ParseUint(m[2], 16, 32)
		lines[line] = append(lines[line], dumped{uint32(code), m[3]})
	}
	return lines
}

type dumped struct {
	code uint32
	text string
}

var dumpLine = regexp.MustCompile(`(?m)^\s*test\.s:(\d+)\s+0x[0-9a-f]+\s+([0-9a-f]{8})\s+(.*)$`)

// TestAssembled holds what Go's assembler makes of each method's text against the recorded encodings.
func TestAssembled(t *testing.T) {
	codes := readRecorded(t)
	p := New("test", "arm64")
	p.Text("instructions", testFrame, 32)
	all := tests()
	at := make([]int, len(all))
	for i, x := range all {
		at[i] = 1 + bytes.Count(p.Bytes(), []byte("\n"))
		x.emit(p)
	}
	p.RET()
	lines := assemble(t, p.Bytes())
	for i, x := range all {
		got := lines[at[i]]
		if len(got) != 1 {
			t.Errorf("%s: %s becomes %d instructions", x.method, x.want, len(got))
			continue
		}
		if code, ok := codes[x.want]; !ok || got[0].code != code {
			t.Errorf("%s: %08x (%s), want %08x %s", x.method, got[0].code, got[0].text, code, x.want)
		}
	}
}

// TestLLVM holds the recorded encodings against LLVM, which both writes and reads them.
func TestLLVM(t *testing.T) {
	const mc = "llvm-mc-19"
	if _, err := exec.LookPath(mc); err != nil {
		if os.Getenv("LOWBIT_REQUIRE_LLVM") != "" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: the encodings were not held against LLVM: %v", err)
	}
	run := func(input string, args ...string) string {
		cmd := exec.Command(mc, append([]string{"-triple=aarch64", "-mattr=+v8.2a,+fullfp16"}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", mc, err)
		}
		return string(out)
	}
	if *record {
		var texts []string
		seen := map[string]bool{}
		for _, i := range tests() {
			if !seen[i.want] {
				seen[i.want] = true
				texts = append(texts, i.want)
			}
		}
		out := run(strings.Join(texts, "\n")+"\n", "-show-encoding")
		var file strings.Builder
		encodings := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllStringSubmatch(out, -1)
		if len(encodings) != len(texts) {
			t.Fatalf("%d encodings of %d instructions", len(encodings), len(texts))
		}
		for i, e := range encodings {
			fmt.Fprintf(&file, "%s%s%s%s %s\n", e[4], e[3], e[2], e[1], texts[i])
		}
		if err := os.WriteFile(recorded, []byte(file.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	codes := readRecorded(t)
	var input strings.Builder
	var want []string
	for _, i := range tests() {
		code, ok := codes[i.want]
		if !ok {
			t.Errorf("%s is not recorded", i.want)
			continue
		}
		fmt.Fprintf(&input, "0x%02x 0x%02x 0x%02x 0x%02x\n", byte(code), byte(code>>8), byte(code>>16), byte(code>>24))
		want = append(want, i.want)
	}
	var got []string
	lines := bufio.NewScanner(strings.NewReader(run(input.String(), "-disassemble")))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "//")
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !strings.HasPrefix(line, ".") {
			got = append(got, line)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d instructions disassembled, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("LLVM reads %q, want %q", got[i], want[i])
		}
	}
}
