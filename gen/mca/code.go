package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// turn is how many elements one turn of the kernel's loop is for.
func (k kernel) turn(t target) int {
	switch {
	case k.elements > 0:
		return k.elements
	case k.blocks && t.block32.inner != "":
		return t.block32.turns * t.tile
	}
	return t.tile
}

// code is what one turn of the kernel's loop executes, an instruction each.
func (k kernel) code(t target, dir string) ([][]byte, error) {
	f, err := assemble(filepath.Join(dir, k.file+"_"+t.file+".s"), t.arch, k.function+t.suffix)
	if err != nil {
		return nil, err
	}
	p := k.path
	if k.blocks {
		p = t.block32
	}
	p.mask = k.mask
	code, err := f.follow(p)
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", k.function, t.suffix, err)
	}
	return code, nil
}

// text is that code as LLVM writes it.
func (k kernel) text(t target, dir string) (string, error) {
	code, err := k.code(t, dir)
	if err != nil {
		return "", err
	}
	return disassemble(code, t.triple)
}

// function is a function's instructions.
type function struct {
	begins []int          // where each begins in the code
	jumps  []int          // where it jumps to, or -1
	labels map[int]string // what is called how in the source
	code   []byte
}

var (
	listLine = regexp.MustCompile(`^\t0x[0-9a-f]+ (\d+) \(.*?(\d+)\)\t(\S+)\t?(.*)$`)
	dumpLine = regexp.MustCompile(`^\t0x[0-9a-f]+ ((?:[0-9a-f]{2} )+)`)
	jumpTo   = regexp.MustCompile(`(?:^|, )(\d+)$`) // a number without $ is a place
	label    = regexp.MustCompile(`^(\w+):$`)
	leaves   = regexp.MustCompile(`(tail|stage|staged|rest|rare|meet|done)$|^other\d+$`)
)

// assemble finds a function in the list of what Go's assembler makes of a file.
func assemble(file, arch, name string) (*function, error) {
	root, err := output(exec.Command("go", "env", "GOROOT"))
	if err != nil {
		return nil, err
	}
	include := filepath.Join(strings.TrimSpace(root), "pkg", "include")
	cmd := exec.Command("go", "tool", "asm", "-S", "-p", "asm", "-I", include, "-o", os.DevNull, file)
	cmd.Env = append(os.Environ(), "GOARCH="+arch, "GOOS=linux")
	list, err := output(cmd)
	if err != nil {
		return nil, err
	}
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, list, ok := strings.Cut("\n"+list, "\nasm."+name+" STEXT")
	if !ok {
		return nil, fmt.Errorf("%s has no %s", file, name)
	}
	lines := strings.Split(string(source), "\n")
	f := &function{labels: map[int]string{}}
	for text := range strings.Lines(list) {
		text = strings.TrimSuffix(text, "\n")
		if m := dumpLine.FindStringSubmatch(text); m != nil {
			b, err := hex.DecodeString(strings.ReplaceAll(m[1], " ", ""))
			if err != nil {
				return nil, err
			}
			f.code = append(f.code, b...)
			continue
		}
		m := listLine.FindStringSubmatch(text)
		if m == nil {
			if !strings.HasPrefix(text, "\t") && len(f.code) > 0 {
				break // the next function
			}
			continue
		}
		at, _ := strconv.Atoi(m[1])
		line, _ := strconv.Atoi(m[2])
		if strings.HasSuffix(m[3], "DATA") || m[3] == "TEXT" {
			continue
		}
		if n := len(f.begins); n > 0 && f.begins[n-1] == at {
			continue // takes no bytes
		}
		jump := -1
		if to := jumpTo.FindStringSubmatch(m[4]); to != nil {
			jump, _ = strconv.Atoi(to[1])
		}
		f.begins, f.jumps = append(f.begins, at), append(f.jumps, jump)
		for above := line - 2; above >= 0; above-- { // lines count from 1
			l := label.FindStringSubmatch(lines[above])
			if l != nil && f.labels[at] == "" {
				f.labels[at] = l[1]
			} else if l == nil && lines[above] != "" {
				break
			}
		}
	}
	return f, nil
}

// follow collects the code of each instruction that one turn executes. A branch back is taken as often as the path says; one ahead is taken,
// unless it leaves for another kind of mask, for a tail, for where groups meet, for what is rare or for the end, as all do of a loop that looks ahead.
func (f *function) follow(p path) (code [][]byte, err error) {
	place := map[string]int{}
	index := map[int]int{}
	for i, at := range f.begins {
		index[at] = i
		if name := f.labels[at]; name != "" {
			place[name] = at
		}
	}
	start, ok := 0, false
	for _, name := range p.from {
		if start, ok = place[name]; ok {
			break
		}
	}
	if !ok {
		return nil, fmt.Errorf("there is no label %s", strings.Join(p.from, " or "))
	}
	stays := strings.HasSuffix(f.labels[start], "ahead")
	turns := p.turns
	for i := index[start]; i < len(f.begins); {
		end := len(f.code)
		if i+1 < len(f.begins) {
			end = f.begins[i+1]
		}
		code = append(code, f.code[f.begins[i]:end])
		to := f.jumps[i]
		ahead := to > f.begins[i] && !stays && !leaves.MatchString(f.labels[to])
		if name := f.labels[to]; strings.HasPrefix(name, maskBytes) || strings.HasPrefix(name, maskNone) {
			ahead = p.mask != "" && strings.HasPrefix(name, p.mask)
		}
		again := to >= 0 && to < f.begins[i] && p.inner != "" && f.labels[to] == p.inner && turns > 1
		if to == start {
			return code, nil
		}
		if again {
			turns--
		}
		if ahead || again {
			if i, ok = index[to]; !ok {
				return nil, fmt.Errorf("a jump to %d, where no instruction begins", to)
			}
		} else {
			i++
		}
	}
	return nil, fmt.Errorf("nothing comes back to %s", f.labels[start])
}

// disassemble writes the instructions as LLVM's assembler reads them, a line each.
func disassemble(code [][]byte, triple string) (string, error) {
	var b strings.Builder
	for _, c := range code {
		for _, v := range c {
			fmt.Fprintf(&b, "0x%02x ", v)
		}
		b.WriteString("\n")
	}
	cmd := exec.Command("llvm-mc-19", "-disassemble", "-triple="+triple)
	cmd.Stdin = strings.NewReader(b.String())
	text, err := output(cmd)
	if err != nil {
		return "", err
	}
	count := 0
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '.' {
			count++
		}
	}
	if count < len(code) { // of some words Go makes several
		return "", fmt.Errorf("llvm-mc reads %d instructions in the code of %d", count, len(code))
	}
	return text, nil
}

// output is what a command writes; what it complains of is an error.
func output(cmd *exec.Cmd) (string, error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if err == nil && complaint.Len() > 0 {
		err = fmt.Errorf("complains")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.String(), nil
}
