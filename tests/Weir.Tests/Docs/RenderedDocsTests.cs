using System.Text;
using System.Text.RegularExpressions;
using Weir.Server.Docs;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>The pages that the program holds, which are all that its callers see of the repository.</summary>
public sealed partial class RenderedDocsTests
{
    private const string Style = "style.css";
    private static readonly Uri Base = new("https://weir.example/docs/");
    private static readonly DocsPages Pages = new();

    [Fact]
    public void Every_file_of_the_documentation_and_the_readme_is_a_page() =>
        Pages.Addresses.Where(a => a != Style).Order(StringComparer.Ordinal).ShouldBe(
            Directory.EnumerateFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(Repository.PathOf("docs"), file)[..^3]).Append("").Order(StringComparer.Ordinal));

    [Fact]
    public void Every_link_leads_to_a_page_and_to_a_heading_that_it_has()
    {
        var links = Pages.Addresses.Where(a => a != Style)
            .SelectMany(
            address =>
                Link().Matches(Html(address)).Select(link => (From: address, To: new Uri(new Uri(Base, address), link.Groups["to"].Value))))
                .ToArray();

        var inside = links.Where(link => link.To.Host == Base.Host).ToArray();
        inside.Length.ShouldBeGreaterThan(500);
        inside.Where(link => !IsThere(link.To)).ShouldBeEmpty();
        links.Except(inside).Where(link => link.To.Scheme != "https").ShouldBeEmpty();
    }

    [Fact]
    public void No_page_holds_a_script_a_style_of_its_own_or_a_handler() =>
        Pages.Addresses.Where(a => a != Style).Where(address => Active().IsMatch(Html(address))).ShouldBeEmpty();

    [Theory]
    [InlineData("<script>alert(1)</script>", "<script")]
    [InlineData("a <img src=x onerror=alert(1)> b", "<img")]
    [InlineData("<!-- c --> <b onclick=\"x\">b</b>", "<b ")]
    [InlineData("[a](javascript:alert(1))", "javascript:")]
    [InlineData("[a](data:text/html,x)", "href=\"data:")]
    [InlineData("![a](https://elsewhere.example/x.png)", "<img")]
    public void Active_content_in_markdown_is_text(string markdown, string active) =>
    Render("docs/x.md", markdown).ShouldNotContain(active);

    [Fact]
    public void A_link_to_a_file_that_is_no_page_is_its_text_only() =>
        Render("docs/x.md", "see [the **code**](../src/Weir/x.cs) and [it](y.md#a)")
            .ShouldContain("<p>see the <strong>code</strong> and <a href=\"y#a\">it</a></p>");

    [Fact]
    public void Links_are_relative_to_the_page_that_they_stand_on()
    {
        Render("docs/decisions/0001-z.md", "[x](../x.md) [z](0001-z.md#z) [readme](../../README.md)")
            .ShouldContain("<p><a href=\"../x\">x</a> <a href=\"../decisions/0001-z#z\">z</a> <a href=\"../\">readme</a></p>");
        Render("README.md", "[x](docs/x.md#a)").ShouldContain("<p><a href=\"x#a\">x</a></p>");
    }

    [Fact]
    public void Cells_are_aligned_by_the_style_sheet() =>
        Render("docs/x.md", "| a | b |\n| --- | ---: |\n| c | d |\n").ShouldContain("<td class=\"right\">d</td>");

    private static string Render(string source, string markdown) => new DocsRenderer(new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["README.md"] = "",
        ["docs/x.md"] = "x",
        ["docs/y.md"] = "y",
        ["docs/decisions/0001-z.md"] = "decisions/0001-z",
    }).Render(source, markdown).Split("<main>")[1];

    private static bool IsThere(Uri to) => Pages.Find(to.AbsolutePath["/docs/".Length..]) is not null
        && (to.Fragment.Length == 0
            || Html(to.AbsolutePath["/docs/".Length..]).Contains($"id=\"{to.Fragment[1..]}\"", StringComparison.Ordinal));

    private static string Html(string address) => Encoding.UTF8.GetString(Pages.Find(address)!.Body);

    [GeneratedRegex("(href|src)=\"(?<to>[^\"]*)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Link();

    [GeneratedRegex("<script|<style|<img|<iframe|<[^>]*\\s(style|on[a-z]+)=", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Active();
}
