// Command plot draws the latencies that bench -csv wrote:
//
//	go -C test/bench/plot run . FILE.csv FILE.svg
//
// The name of the second file tells the format: svg or png. It is a module of
// its own, so that what it needs is no part of the plugin's.
package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: plot FILE.csv FILE.svg|FILE.png")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(table, picture string) error {
	curves, err := read(table)
	if err != nil {
		return err
	}
	p, err := plotted(curves)
	if err != nil {
		return err
	}
	return save(p, picture)
}

// save draws with an edge around, into which the strokes and letters at the border of
// the plot reach.
func save(p *plot.Plot, picture string) error {
	const edge = 12
	c, err := draw.NewFormattedCanvas(9*vg.Inch, 4.5*vg.Inch, strings.TrimPrefix(filepath.Ext(picture), "."))
	if err != nil {
		return err
	}
	p.Draw(draw.Crop(draw.New(c), edge, -edge, edge, -edge))
	f, err := os.Create(picture)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(f)
	return errors.Join(err, f.Close())
}

// A curve is the longest latency in each short span of time.
type curve struct {
	name   string
	points plotter.XYs // seconds, milliseconds
}

// read returns the curves in the order of the table, which has a heading.
func read(path string) (curves []curve, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	for i, line := range lines[min(1, len(lines)):] {
		point, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, i+2, err)
		}
		if n := len(curves); n == 0 || curves[n-1].name != line[0] {
			curves = append(curves, curve{name: line[0]})
		}
		c := &curves[len(curves)-1]
		c.points = append(c.points, point)
	}
	if len(curves) == 0 {
		return nil, fmt.Errorf("%s holds no curves; bench writes them when it measures storm and credit", path)
	}
	return curves, nil
}

func parse(line []string) (point plotter.XY, err error) {
	if len(line) != 3 {
		return point, fmt.Errorf("%d columns instead of 3", len(line))
	}
	if point.X, err = strconv.ParseFloat(line[1], 64); err != nil {
		return point, err
	}
	point.Y, err = strconv.ParseFloat(line[2], 64)
	return point, err
}

// Colours that the colour-blind can tell apart (Okabe and Ito).
var colours = []color.Color{
	color.RGBA{0xd5, 0x5e, 0x00, 0xff},
	color.RGBA{0x00, 0x72, 0xb2, 0xff},
	color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff},
}

// names are what the curves of the bench are called in the picture.
var names = map[string]string{
	"ours, delayed (MQTT 3.1.1)":     "mosquitto-go-auth, MQTT 3.1.1",
	"ours, by stall credit (MQTT 5)": "mosquitto-go-auth, MQTT 5",
}

// least is what the scale begins with: nothing is faster, and 0 has no place on it.
const least = 0.05

func plotted(curves []curve) (*plot.Plot, error) {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
	p := plot.New()
	p.Title.Text = "How long another client's message takes while a storm of logins arrives"
	p.X.Label.Text = "seconds since the storm began"
	p.Y.Label.Text = "milliseconds, the longest in each 50 ms"
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = decades{}
	p.X.Min, p.Y.Min, p.Y.Max = 0, least, 1
	p.Legend.Top = true
	p.Legend.Padding = vg.Points(3)
	p.Title.Padding = vg.Points(6)
	p.Add(plotter.NewGrid())
	for i, c := range curves {
		for j := range c.points {
			c.points[j].Y = math.Max(c.points[j].Y, least)
		}
		line, err := plotter.NewLine(c.points)
		if err != nil {
			return nil, fmt.Errorf("the curve %q: %w", c.name, err)
		}
		line.Color = colours[i%len(colours)]
		line.Width = vg.Points(1)
		p.Add(line)
		p.Legend.Add(cmp.Or(names[c.name], c.name), line)
	}
	p.X.Tick.Marker, p.X.Max = seconds(p.X.Max)
	return p, nil
}

// seconds returns the marks of a scale that reaches as far, and ends with a mark.
func seconds(last float64) (marks plot.ConstantTicks, end float64) {
	step := 1.0
	if last > 10 {
		step = 5
	}
	end = step * math.Max(1, math.Ceil(last/step))
	for at := 0.0; at <= end; at += step {
		marks = append(marks, plot.Tick{Value: at, Label: strconv.FormatFloat(at, 'f', -1, 64)})
	}
	return marks, end
}

// decades marks 0.1, 1, 10 … by plain numbers.
type decades struct{}

// Ticks implements [plot.Ticker].
func (decades) Ticks(min, max float64) (ticks []plot.Tick) {
	for e := math.Floor(math.Log10(min)); math.Pow(10, e) <= max; e++ {
		for n := 1; n < 10; n++ {
			t := plot.Tick{Value: float64(n) * math.Pow(10, e)}
			if n == 1 {
				t.Label = strconv.FormatFloat(t.Value, 'g', -1, 64)
			}
			if t.Value >= min && t.Value <= max {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}
