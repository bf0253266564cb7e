namespace Weir.Dtma.State;

/// <summary>
/// Why an instance does not run, with a code of <see cref="Weir.Nodes.NodeErrors"/>. The message is the node's own sentence: it travels to Weir and is
/// shown to admins, so it never quotes what a program printed.
/// </summary>
/// <param name="isFinal">Another attempt would fail alike: no restart until it is deployed again.</param>
internal sealed class InstanceFailure(string code, string message, bool isFinal = false) : Exception(Shown(message))
{
    private const int MaxMessage = 500;

    public string Code { get; } = code;

    public bool IsFinal { get; } = isFinal;

    /// <summary>Final where the server has not run yet. One that ran is started again all the same: what it fails by now may pass.</summary>
    public bool IsFinalAtFirst { get; init; }

    /// <summary>What a program printed about it, for the instance's log only: the log's source and the text.</summary>
    public (string Source, string Text)? Printed { get; init; }

    /// <summary>It may name a package and its executables, and travels in every heartbeat: short, and without what a log or a database cannot hold.</summary>
    private static string Shown(string message)
    {
        var plain = string.Concat(message.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? ' ' : c));
        return plain.Length <= MaxMessage ? plain : plain[..MaxMessage] + "…";
    }
}
