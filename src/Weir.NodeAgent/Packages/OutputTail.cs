using System.Text;

namespace Weir.NodeAgent.Packages;

/// <summary>The end of what a program prints, however much it prints.</summary>
internal static class OutputTail
{
    /// <summary>In characters.</summary>
    public const int Limit = 64 * 1024;

    public static async Task<string> ReadAsync(TextReader output)
    {
        var (tail, buffer) = (new StringBuilder(), new char[4096]);
        while (await output.ReadAsync(buffer) is > 0 and var read)
        {
            tail.Append(buffer, 0, read);
            if (tail.Length > 2 * Limit)
            {
                tail.Remove(0, tail.Length - Limit);
            }
        }

        return tail.ToString(Math.Max(0, tail.Length - Limit), Math.Min(tail.Length, Limit));
    }
}
