// Talks to fpmatch.evaluate.sourceafis_matcher over standard input and output. Run from source:
// java -cp "JARS/*" SourceAfisBridge.java

import com.machinezoo.sourceafis.FingerprintImage;
import com.machinezoo.sourceafis.FingerprintImageOptions;
import com.machinezoo.sourceafis.FingerprintMatcher;
import com.machinezoo.sourceafis.FingerprintTemplate;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;

// Numbers are big-endian. Every request is a letter and its operands; every answer begins with 0, or
// with 1 and a text where something was thrown.
//   V                                   text: version
//   P  width, height, ppi, pixels       bytes: a template
//   L  length, bytes of a template      number that C calls it by
//   C  probe, candidate                 double: the score
//   T                                   long: CPU time of this process so far, nanoseconds
public class SourceAfisBridge {
    private static final List<FingerprintTemplate> LOADED = new ArrayList<>();
    private static FingerprintMatcher matcher;
    private static int probe = -1;

    public static void main(String[] args) throws IOException {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
        DataOutputStream out = new DataOutputStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
        System.setOut(System.err); // what a library prints must not come between
        while (true) {
            int letter;
            try {
                letter = in.readUnsignedByte();
            } catch (EOFException end) {
                return;
            }
            Object answer;
            // Operands are read before anything can be thrown that the next request would trip over.
            switch (letter) {
                case 'P': {
                    int width = in.readInt();
                    int height = in.readInt();
                    double ppi = in.readDouble();
                    byte[] pixels = new byte[width * height];
                    in.readFully(pixels);
                    answer = tried(() -> new FingerprintTemplate(new FingerprintImage(
                        width, height, pixels, new FingerprintImageOptions().dpi(ppi))).toByteArray());
                    break;
                }
                case 'L': {
                    byte[] content = new byte[in.readInt()];
                    in.readFully(content);
                    answer = tried(() -> {
                        LOADED.add(new FingerprintTemplate(content));
                        return LOADED.size() - 1;
                    });
                    break;
                }
                case 'C': {
                    int a = in.readInt();
                    int b = in.readInt();
                    answer = tried(() -> score(a, b));
                    break;
                }
                case 'T':
                    answer = tried(SourceAfisBridge::cpuTime);
                    break;
                default:
                    answer = tried(SourceAfisBridge::version);
            }
            write(out, answer);
            out.flush();
        }
    }

    private interface Step {
        Object run() throws Exception;
    }

    private static Object tried(Step step) {
        try {
            return step.run();
        } catch (Throwable error) {
            return error;
        }
    }

    private static Object score(int a, int b) {
        if (a != probe) {
            matcher = new FingerprintMatcher(LOADED.get(a));
            probe = a;
        }
        return matcher.match(LOADED.get(b));
    }

    private static Object cpuTime() {
        return ((com.sun.management.OperatingSystemMXBean)
            ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    private static Object version() throws Exception {
        return Class.forName("com.machinezoo.sourceafis.FingerprintCompatibility")
            .getMethod("version").invoke(null).toString();
    }

    private static void write(DataOutputStream out, Object answer) throws IOException {
        boolean failed = answer instanceof Throwable;
        out.writeByte(failed ? 1 : 0);
        if (answer instanceof byte[]) {
            out.writeInt(((byte[]) answer).length);
            out.write((byte[]) answer);
        } else if (answer instanceof Double) {
            out.writeDouble((Double) answer);
        } else if (answer instanceof Integer) {
            out.writeInt((Integer) answer);
        } else if (answer instanceof Long) {
            out.writeLong((Long) answer);
        } else {
            byte[] text = String.valueOf(answer).getBytes("UTF-8");
            out.writeInt(text.length);
            out.write(text);
        }
    }
}
