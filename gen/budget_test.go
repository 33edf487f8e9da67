package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// budget is how many lines of assembly, and how many thousand bytes of text, there may be at most.
type budget struct{ lines, kilobytes int }

// budgets are those of the kernels of a file, for all implementations together. Whoever needs more raises
// one and says in the commit what it buys; whoever needs less lowers it.
var budgets = map[string]budget{
	"backward":              {4000, 100},
	"blocks":                {7700, 230},
	"convert":               {8500, 213},
	"copy":                  {1300, 30},
	"dequantize":            {18000, 403},
	"dequantizeF16BF16":     {15260, 337},
	"dequantizefp":          {5950, 134},
	"dequantizefpF16BF16":   {7670, 171},
	"dispatch":              {170, 10},
	"errors":                {6300, 165},
	"fakequantize":          {10650, 256},
	"fakequantizeF16BF16":   {10380, 241},
	"fakequantizefp":        {3850, 94},
	"fakequantizefpF16BF16": {5590, 133},
	"lookup":                {210, 10},
	"minmax":                {26700, 620},
	"pack":                  {1260, 31},
	"params":                {10500, 300},
	"prepare":               {300, 10},
	"productBF16":           {2810, 71},
	"productF16":            {2610, 62},
	"quantize":              {12500, 280},
	"quantizeBF16":          {2670, 63},
	"quantizeF16":           {2590, 59},
	"quantizeF16BF16":       {9640, 211},
	"quantizefp":            {12110, 288},
	"quantizefpF16BF16":     {8580, 196},
	"quotient":              {4150, 92},
	"search":                {4510, 118},
	"shorts":                {3900, 90},
	"sixes":                 {470, 16},
	"stage":                 {1920, 36},
	"stochastic":            {2600, 71},
	"transpose":             {500, 11},
	"writeblocks":           {6270, 200},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{221220, 5255}

func TestBudget(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(asmDir, "*.s"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	sums, all := map[string]budget{}, budget{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		family, _, _ := strings.Cut(filepath.Base(name), "_")
		sum := sums[family]
		sum.lines += bytes.Count(text, []byte("\n"))
		sum.kilobytes += len(text) / 1000
		sums[family] = sum
	}
	check := func(what string, has, may budget) {
		if has.lines > may.lines || has.kilobytes > may.kilobytes {
			t.Errorf("%s has %d lines and %d kB, and may have %d and %d", what, has.lines, has.kilobytes, may.lines, may.kilobytes)
		}
	}
	for family, sum := range sums {
		all.lines += sum.lines
		all.kilobytes += sum.kilobytes
		check(family, sum, budgets[family])
	}
	check("internal/asm", all, budgetOfAll)
	for family := range budgets {
		if _, ok := sums[family]; !ok {
			t.Errorf("%s has a budget and no files", family)
		}
	}
}
