using Weir.Configuration;
using Weir.Errors;
using Weir.Keys;
using Weir.Postgres;
using Weir.Postgres.Doctor;

namespace Weir.Server.Hosting;

/// <summary>What must be so before a replica serves: its logins can do no more than they may, and its keyring is the database's.</summary>
internal static class StartChecks
{
    /// <exception cref="WeirException">One of them is not; it says what to do. Unavailable: the database does not answer.</exception>
    public static async Task RunAsync(Databases databases, WeirConfig config, CancellationToken ct)
    {
        await LoginProbe.RefuseUnfitAsync(databases, ct);
        var fingerprint = File.Exists(config.KeyringPath) ? Keyring.LoadOrCreate(config.KeyringPath).Fingerprint : null;
        await KeyringProbe.RefuseWrongAsync(databases.Engine, fingerprint, config.KeyringPath, ct);
    }
}
