namespace Weir.Isolation;

/// <summary>One thing that is not as promised.</summary>
/// <param name="Id">Of the check, as docs/isolation.md lists them. Never reused.</param>
/// <param name="Object">Where it was found.</param>
/// <param name="Found">What is there instead.</param>
/// <param name="Promise">What should be.</param>
/// <param name="Fix">SQL, or a sentence.</param>
internal sealed record Finding(string Id, string Object, string Found, string Promise, string Fix);
