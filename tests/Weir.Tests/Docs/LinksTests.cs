using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

public sealed partial class LinksTests
{
    public static TheoryData<string> Pages => new(
        new[] { "README.md", "CONTRIBUTING.md", "SECURITY.md" }.Concat(
            Directory.EnumerateFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories)
                .Select(page => Path.GetRelativePath(Repository.Root, page))));

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_relative_link_leads_to_a_file(string page)
    {
        var from = Path.GetDirectoryName(Repository.PathOf(page))!;
        var links = Link().Matches(Fence().Replace(File.ReadAllText(Repository.PathOf(page)), "")).Select(link => link.Groups["to"].Value)
            .Where(to => !to.StartsWith('#') && !Uri.TryCreate(to, UriKind.Absolute, out _));
        links.Where(to => !Path.Exists(Path.Combine(from, Uri.UnescapeDataString(to.Split('#')[0])))).ShouldBeEmpty();
    }

    /// <summary>What is shown as it is, is no link.</summary>
    [GeneratedRegex(@"^```.*?^```|`[^`\n]*`", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\]\((?<to>[^)\s]+)[^)]*\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Link();
}
