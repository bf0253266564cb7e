using System.Diagnostics;
using Weir.Errors;
using Weir.Knowledge.Text;

namespace Weir.Tests.Knowledge;

public sealed class HtmlTextTests
{
    [Fact]
    public void Headings_are_the_context_of_what_is_below_them()
    {
        var (title, sections) = HtmlText.Read("""
            <!doctype html><title>Hand&shy;book</title><body><p>Before.<h1>Leave</h1><p>All of it.
            <h2>Holidays <em>2026</em></h2><div>Twenty&nbsp;days.</div><h2>Sick</h2><p>Call in.</p><h1>Pay</h1>Monthly.</body>
            """);

        title.ShouldBe("Hand\u00ADbook");
        sections.ShouldBe(
        [
            new Section("", "Before."), new Section("Leave", "All of it."), new Section("Leave › Holidays 2026", "Twenty\u00A0days."),
            new Section("Leave › Sick", "Call in."),
            new Section("Pay", "Monthly."),
        ]);
    }

    [Fact]
    public void Blocks_are_paragraphs_and_white_space_is_one_blank() =>
        Text("<p>a  b\n c</p><ul><li>one<li>two</ul><table><tr><td>x</td><td>y</td></tr><tr><td>z</td></tr></table>d<br>e<pre>f\n  g</pre>")
            .ShouldBe(
            "a b c\n\n- one\n- two\n\nx\ty\n\tz\n\nd\ne\n\nf\n  g".Replace("x\ty", "\tx\ty", StringComparison.Ordinal));

    [Theory]
    [InlineData("<script>bad()</script>")]
    [InlineData("<SCRIPT>bad()</SCRIPT >")]
    [InlineData("<script><!-- <script> </script> bad --></script>")]
    [InlineData("<style>bad{}</style>")]
    [InlineData("<!-- bad -->")]
    [InlineData("<noscript>bad</noscript>")]
    [InlineData("<template>bad</template>")]
    [InlineData("<textarea>bad</textarea>")]
    [InlineData("<svg><text>bad</text></svg>")]
    [InlineData("<iframe srcdoc='bad'>bad</iframe>")]
    [InlineData("<input type=hidden value=bad>")]
    [InlineData("<img alt='bad' src='bad'>")]
    [InlineData("<p hidden>bad</p>")]
    [InlineData("<div hidden=until-found><b>bad</b></div>")]
    [InlineData("<dialog>bad</dialog>")]
    [InlineData("<p style='display:none'>bad</p>")]
    [InlineData("<p style='DISPLAY : NONE !important'>bad</p>")]
    [InlineData("<p style='color:red;visibility:hidden'>bad</p>")]
    [InlineData("<div style='opacity:0'><p>bad</p></div>")]
    [InlineData("<div style='opacity: 0.0;'>bad</div>")]
    [InlineData("<span style='font-size:0px'>bad</span>")]
    [InlineData("<span style='font-size:1px'>bad</span>")]
    [InlineData("<span style='height:0;overflow:hidden'>bad</span>")]
    [InlineData("<span style='position:absolute;left:-9999px'>bad</span>")]
    [InlineData("<span style='text-indent:-5000px'>bad</span>")]
    [InlineData("<span style='color:transparent'>bad</span>")]
    [InlineData("<h1 style='display:none'>bad</h1>")]
    public void A25_what_is_hidden_or_no_text_is_dropped(string html) => Text($"<p>good</p>{html}<p>end</p>").ShouldBe("good\n\nend");

    [Theory]
    [InlineData("<p style='opacity:0.9'>seen</p>")]
    [InlineData("<p style='font-size:10px;line-height:1'>seen</p>")]
    [InlineData("<p style='margin-left:-10px'>seen</p>")]
    [InlineData("<p style='background-color:transparent;max-width:0.5em'>seen</p>")]
    [InlineData("<dialog open>seen</dialog>")]
    [InlineData("<p>seen<p")]
    [InlineData("seen</div></body></html>")]
    [InlineData("<![CDATA[x]]>seen")]
    [InlineData("<!-->seen")]
    public void What_is_seen_is_kept_however_badly_it_is_written(string html) => Text(html).ShouldEndWith("seen");

    [Fact]
    public void Nothing_of_a_tag_is_text() => Text("a <b title='x > y' onclick=\"z('<p>')\">b</b> &lt;i&gt;c").ShouldBe("a b <i>c");

    [Theory]
    [InlineData("")]
    [InlineData("<html></html>")]
    [InlineData("<script>only</script>")]
    public void A_page_without_text_is_refused(string html) =>
        Should.Throw<WeirException>(() => DocumentText.Chunks(DocumentText.Html, html, 1200, 150)).Code.ShouldBe(ErrorCode.InvalidArgument);

    public static TheoryData<string, string> Bombs => new()
    {
        { "nested", string.Concat(Enumerable.Repeat("<div>", 400_000)) + "x" },
        { "nested inline", string.Concat(Enumerable.Repeat("<b><i>", 150_000)) + "x" },
        { "formatting that is made anew", string.Concat(Enumerable.Range(0, 300).Select(i => $"<b style='a:{i}'><font color={i}>"))
            + string.Concat(Enumerable.Repeat("<p>x", 300_000)) },
        { "tables", string.Concat(Enumerable.Repeat("<table><tr><td>", 100_000)) + "x" },
        { "attributes", "<p " + string.Concat(Enumerable.Range(0, 100_000).Select(i => $"a{i} ")) + ">x" },
        { "end tags that close nothing", string.Concat(Enumerable.Repeat("<div><table><tr><td></div>", 50_000)) + "x" },
        { "many", string.Concat(Enumerable.Repeat("<div>", 249)) + string.Concat(Enumerable.Repeat("<p>x", 200_000)) },
        { "unclosed", string.Concat(Enumerable.Repeat("<", 1_000_000)) },
        { "style", "<p style='" + new string('-', 1_000_000) + "'>x" },
    };

    [Theory]
    [MemberData(nameof(Bombs))]
    public void A_page_that_is_a_bomb_ends_soon(string name, string html)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            HtmlText.Read(html);
        }
        catch (WeirException e)
        {
            e.Code.ShouldBe(ErrorCode.TooLarge);
        }

        Stopwatch.GetElapsedTime(started).ShouldBeLessThan(TimeSpan.FromSeconds(60), name);
    }

    private static string Text(string html) => string.Join("\n\n", HtmlText.Read(html).Sections.Select(s => s.Text));
}
