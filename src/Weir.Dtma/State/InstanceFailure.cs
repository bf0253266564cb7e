namespace Weir.Dtma.State;

/// <summary>Why an instance does not run, with a code of <see cref="Weir.Nodes.NodeErrors"/>.</summary>
/// <param name="isFinal">Another attempt would fail alike: no restart until it is deployed again.</param>
internal sealed class InstanceFailure(string code, string message, bool isFinal = false) : Exception(Shown(message))
{
    private const int MaxMessage = 500;

    public string Code { get; } = code;

    public bool IsFinal { get; } = isFinal;

    /// <summary>It may quote a package or a server, and travels in every heartbeat: short, and without what a log or a database cannot hold.</summary>
    private static string Shown(string message)
    {
        var plain = string.Concat(message.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? ' ' : c));
        return plain.Length <= MaxMessage ? plain : plain[..MaxMessage] + "…";
    }
}
